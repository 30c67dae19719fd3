"""Whether what comes from a bucket is what its ETag says, and what is done where an ETag is no md5."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from image_classifier.data.sources.attempts import ATTEMPTS
from image_classifier.errors import UserError

_MD5 = re.compile(r"[0-9a-f]{32}")
_ENOUGH = 3


class Checks:
    """The ETags of one bucket: an md5 of most objects, something else of encrypted ones and of some servers'."""

    def __init__(self) -> None:
        self._matching = self._differing = 0

    def agreed(self, read: Callable[[], bytes], version: str | None, where: str) -> tuple[bytes, str]:
        """An object's bytes and md5 as its ETag says, or, where that is no md5 of them, as two readings give them."""
        seen = set()
        for _ in range(ATTEMPTS):
            data = read()
            md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
            if not self.doubted(version, md5):
                return data, md5
            if md5 in seen:
                self.accept()
                return data, md5
            seen.add(md5)
        raise damaged(where)

    def doubted(self, version: str | None, md5: str) -> bool:
        """Whether the ETag says otherwise; where it did of some objects and agreed with none, it is no longer asked."""
        if version is None or not _MD5.fullmatch(version) or (self._differing >= _ENOUGH and not self._matching):
            return False
        self._matching += version == md5
        return version != md5

    def accept(self) -> None:
        """Two readings gave the same, and the ETag is something else: it is no md5."""
        self._differing += 1


def damaged(where: str) -> UserError:
    """The error about an object that never arrives as it is."""
    return UserError(
        f"{where} arrives with other bytes each time, and never with those that its ETag tells",
        "something between here and the server changes what is sent: look there, then run again",
    )


def md5_of(path: Path) -> str:
    """The md5 of a file, as S3 has it of most objects."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
