"""Files that stand for others: what Git LFS and DVC leave in a folder until the data are fetched."""

import os
from pathlib import Path

from image_classifier.errors import UserError
from image_classifier.lfs import POINTER

_MOST_BYTES = 256  # a pointer has some 130, and each image that is as small is opened twice
_LFS = "a Git LFS pointer, not the file itself: git lfs pull"
_DVC = "a file of DVC, not what it stands for: dvc pull"
_ELSEWHERE = "not here; DVC keeps it: dvc pull"


def pointer(path: str, size: int | None = None, start: int = 0) -> str | None:
    """Which pointer this file (or its part at `start`) is, and the command that fetches what it stands for, or None."""
    if path.endswith(".dvc"):
        return _DVC
    try:
        if (os.path.getsize(path) if size is None else size) > _MOST_BYTES:  # noqa: PTH202 (paths are plain text here)
            return None
        with open(path, "rb") as stream:  # noqa: PTH123 (as above)
            stream.seek(start)
            return _LFS if stream.read(len(POINTER)) == POINTER else None
    except OSError:
        return None


def kept_elsewhere(path: str, folder: str) -> str | None:
    """Whether DVC has a file for this path, which is missing, or for a folder above it up to `folder`; in words."""
    while len(path) > len(folder):
        if os.path.isfile(f"{path}.dvc"):  # noqa: PTH113 (as above)
            return _ELSEWHERE
        path = os.path.dirname(path)  # noqa: PTH120 (as above)
    return None


def refuse_pointer(path: Path) -> None:
    """Refuse a file that only stands for a table."""
    found = pointer(str(path)) if path.is_file() else None
    if found:
        what, _, command = found.rpartition(": ")
        raise UserError(f"{path} is {what}", f"fetch it: {command}")
