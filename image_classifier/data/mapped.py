"""Reading of arrays that are mapped from a file: whether it is still whole, and what will be read next.

A file that may be larger than memory is read from the disk again and again. Where the rows are scattered, the kernel's
own guess of what comes next is wrong: it would read 128 KB for each row.
"""

import contextlib
import mmap
import resource
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from image_classifier.errors import UserError

Array = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]
_PAGE = mmap.PAGESIZE


class MappedRows:
    """An array's rows by their numbers; of any array, though what is said below matters for mapped ones only."""

    def __init__(self, array: Array) -> None:
        self.array: Array = np.asarray(array)
        self._file, self._name = _mapping(array)
        self._start = 0 if self._file is None else _address(self.array) - _address(np.frombuffer(self._file, np.uint8))
        self._waited = False

    def take(self, rows: Integers) -> Array:
        """A copy of these rows; a `UserError` if the file has been cut short."""
        refuse_cut_short(self.array)
        before = _waits()
        found: Array = np.take(self.array, rows, axis=0)
        self._waited |= _waits() > before
        return found

    def ask(self, rows: Integers) -> None:
        """Have the kernel read these rows while other work goes on, if any had to be waited for."""
        if self._file is None or not self._waited or not len(rows):
            return
        size = self.array[:1].nbytes
        begins = self._start + np.sort(rows) * size
        first, last = begins // _PAGE, (begins + size - 1) // _PAGE
        # Neighbours that share a page, or follow each other, are one question.
        new = np.flatnonzero(np.append(True, first[1:] > last[:-1] + 1))
        ends = np.append(last[new[1:] - 1], last[-1])
        for page, end in zip(first[new].tolist(), ends.tolist(), strict=True):
            self._file.madvise(mmap.MADV_WILLNEED, page * _PAGE, (end + 1 - page) * _PAGE)

    @contextlib.contextmanager
    def scattered(self) -> Iterator[None]:
        """Within, the rows that are read follow no order."""
        if self._file is None:
            yield
            return
        self._file.madvise(mmap.MADV_RANDOM)
        try:
            yield
        finally:
            self._file.madvise(mmap.MADV_NORMAL)


def refuse_cut_short(array: Array) -> None:
    """Refuse an array whose file has become shorter than it: reading on would end the process (SIGBUS)."""
    file, name = _mapping(array)
    if file is None:
        return
    needed = _address(array) - _address(np.frombuffer(file, np.uint8)) + array.nbytes
    if file.size() < needed:
        raise UserError(
            f"{name or 'a file of the prepared store'} was cut short while it was read: "
            f"it has {file.size()} bytes, {needed} are needed",
            "prepare the data again; a training goes on with --resume",
        )


def _mapping(array: Any) -> tuple[mmap.mmap | None, str | None]:
    """The map of the file that the array lies in, if it does, and the file's name."""
    name = None
    while array is not None and not isinstance(array, mmap.mmap):
        name = name or getattr(array, "filename", None)
        array = getattr(array, "base", None)
    return array, None if name is None else str(name)


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _waits() -> int:
    """How often this process has waited for the disk to bring a page."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt
