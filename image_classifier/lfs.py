"""Files that may still be with Git LFS: read whole, or refused with the command that fetches them."""

import os
import stat
from pathlib import Path

from image_classifier.errors import UserError

POINTER = b"version https://git-lfs.github.com/spec/"
_MAX_BYTES = 16 << 30  # the largest published classifier has 2.6 GB, its checkpoint four times that


def read(path: Path, hint: str = "check the path") -> bytes:
    """A regular file of sensible size, whole; a pointer of Git LFS is refused with the command that fetches it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO must not hang it
    except (OSError, ValueError) as error:  # the latter for a path that no system takes
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', error)}", hint) from error
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        raise UserError(f"{path} is not a regular file", hint)
    with os.fdopen(descriptor, "rb") as stream:
        if about.st_size > _MAX_BYTES:
            raise UserError(f"{path} is larger than {_MAX_BYTES >> 30} GiB", hint)
        data = stream.read()
    if data.startswith(POINTER):
        pattern = "/".join(path.resolve().parts[-3:])
        raise UserError(
            f"{path} is a Git LFS pointer, not the file itself", f"fetch it: git lfs pull --include '**/{pattern}'"
        )
    return data
