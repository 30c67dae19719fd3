"""One process at a time makes a store: others wait for it. What killed ones left is removed."""

import contextlib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from image_classifier import files
from image_classifier.errors import UserError

_STALE_SECONDS = 3600
_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def only_maker(final: Path, key: str) -> Iterator[bool]:
    """Nobody else makes `final` of what `key` says; who does so now is waited for, however that ends.

    It gives whether another has been waited for.
    """
    # Called so that it is cleared when a killed process leaves it.
    place, waited = final.parent / f".{final.name}.lock_{key[:16]}.tmp", False
    while True:
        with contextlib.ExitStack() as held:
            try:
                about = held.enter_context(files.lock(place, "busy"))
            except UserError:
                _logger.info("another process prepares this data: waiting")
                waited = True
                about = held.enter_context(files.lock(place))
            if not _is(place, about):
                continue  # who had it has removed it
            try:
                yield waited
            finally:
                with contextlib.suppress(OSError):
                    place.rmdir()
            return


def _is(place: Path, about: os.stat_result) -> bool:
    try:
        return os.path.samestat(place.stat(), about)
    except OSError:
        return False


def remove_stale(final: Path) -> None:
    """Remove what killed processes left: unlocked, and old enough not to be a folder just about to be locked."""
    if not final.parent.is_dir():
        return
    ours = re.compile(rf"\.({re.escape(final.name)}|[0-9a-f]{{64}})\.\w+\.tmp")
    for path in final.parent.iterdir():
        if ours.fullmatch(path.name) and path.is_dir() and time.time() - path.stat().st_mtime > _STALE_SECONDS:
            try:
                with files.lock(path, "busy"):
                    shutil.rmtree(path)
            except (UserError, OSError):
                # Somebody is at work in it, or has been faster: not ours to remove.
                continue
