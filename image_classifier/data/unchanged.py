"""Data that change while they are prepared: found by what the file system says of each file before and after."""

import os

from image_classifier.data.examples import Source, shown
from image_classifier.errors import UserError
from image_classifier.settings.addresses import is_address

_SHOWN = 20


def refuse_changed(source: Source, name: str) -> None:
    """Raise a `UserError` if a file is no longer what was listed: a store may hold parts of the old and of the new.

    A file's times count, not only its size; what lies in a bucket or a database is looked after where it is read.
    """
    root = source.root
    if root is None or source.identity is not None:
        return
    local = [stat for stat in source.stats if not is_address(stat[0])]
    changed = [path for path, *before in local if _now(f"{root}/{path}") != before]
    if changed:
        lines = "".join(f"\n  {shown(path)}" for path in changed[:_SHOWN])
        more = f"\n  and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise UserError(
            f"{len(changed)} of {len(local)} files of {name} changed while they were prepared:{lines}{more}",
            "nothing is half done: run again when nobody writes to them any more",
        )


def _now(path: str) -> list[int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 (a Path for each of many files costs more than the call)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]
