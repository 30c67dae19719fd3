"""The cards that are kept beside the prepared stores, by the data's digest, for the runs that learn from the data."""

import logging
from pathlib import Path

from image_classifier import files
from image_classifier.errors import UserError

_FOLDER = "cards"
_logger = logging.getLogger(__name__)


def keep(text: str, cache_folder: Path, digest: str) -> None:
    """Keep a card for later trainings; that it cannot be kept is a warning, for the page itself is written."""
    path = _place(cache_folder, digest)
    try:
        files.make_folder(path.parent)
        files.write_text(path, text)
    except (OSError, UserError) as error:
        _logger.warning("the data card is not kept for the runs that will learn from the data: %s", error)


def hand_over(cache_folder: Path, digest: str, target: Path) -> bool:
    """Copy the card of the data to `target`; whether there is one."""
    path = _place(cache_folder, digest)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:  # no reason to lose a training
        _logger.warning("the run gets no data card: %s", error)
        return False
    files.write_bytes(target, content)
    return True


def _place(cache_folder: Path, digest: str) -> Path:
    return cache_folder / _FOLDER / f"{digest}.html"
