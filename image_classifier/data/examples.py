"""What a source hands over before anything is stored."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from image_classifier.data.tables import Table
from image_classifier.errors import UserError

Labels = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]
# Relative path, size, mtime_ns, ctime_ns: what git's index uses to see that a file has changed.
Stat = tuple[str, int, int, int]


class ImageFile(NamedTuple):
    """A file to decode, or a part of one; its size in bytes stands for the work that it is."""

    path: str
    bytes: int
    name: str | None = None  # to call it by: the row that names it, or what it is a copy of
    start: int | None = None  # where in a file with several it begins

    @property
    def called(self) -> str:
        """What to call it in a message."""
        return self.path if self.name is None else self.name

    @property
    def span(self) -> tuple[int, int] | None:
        """Where it is in a file with several, and how long it is."""
        return None if self.start is None else (self.start, self.bytes)


class ColumnNames(NamedTuple):
    """The columns that the user names, of a table, a manifest or a query: the class, the group, what is left out."""

    target_column: str | None = None
    group_column: str | None = None
    drop_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examples:
    """Labelled examples that are not stored yet: image files, pixels (N, H, W, C), or the rows of a table."""

    labels: Labels
    images: Sequence[ImageFile] | Pixels | Table
    names: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None  # what may not be divided by a split: each example's patient, camera, day

    def take(self, indices: Labels) -> "Examples":
        """The chosen examples, in that order."""
        images: Sequence[ImageFile] | Pixels | Table
        if isinstance(self.images, Table):
            images = self.images.take(indices)
        else:
            images = self.images[indices] if isinstance(self.images, np.ndarray) else [self.images[i] for i in indices]
        names, groups = (None if of is None else tuple(of[i] for i in indices) for of in (self.names, self.groups))
        return Examples(self.labels[indices], images, names, groups)


@dataclass(frozen=True)
class Source:
    """A recognised data set: enough to know whether its store exists, and how to load it if not."""

    kind: str
    stats: tuple[Stat, ...]
    draws_test: bool
    load: Callable[[], tuple[tuple[str, ...], dict[str, Examples]]]
    query_sha256: str | None = None  # of the query that chose the examples in a database
    identity: str | None = None  # what tells one content from another before anything is read, where that can be had
    root: str | None = None  # the folder in which `stats` names files, where it does


def shown(path: str) -> str:
    r"""The path as text that any terminal, log and JSON file can take; odd bytes become `\xNN`."""
    if path.isascii() and path.isprintable():
        return path
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def checked_class_names(names: Sequence[str], where: str) -> tuple[str, ...]:
    """The names in Unicode's composed form; a `UserError` if they are not clean, distinct text."""
    composed = tuple(unicodedata.normalize("NFC", name) for name in names)
    for name in composed:
        # Lone surrogates (bytes that are not UTF-8) are not printable either.
        if not name.strip() or not name.isprintable():
            raise UserError(
                f"the class name '{shown(name)}' in {where} is not plain text",
                "class names may not be blank or hold control characters or bytes that are not UTF-8: rename it",
            )
    twice = sorted(name for name, count in Counter(composed).items() if count > 1)
    if twice:
        raise UserError(
            f"the class name {', '.join(map(repr, twice))} stands more than once in {where}",
            "names that differ only in how Unicode writes an accent are one name: rename or merge them",
        )
    trimmed: dict[str, str] = {}
    for name in composed:
        other = trimmed.setdefault(name.strip(), name)
        if other != name:
            raise UserError(
                f"{where} spells one class in two ways: {other!r} and {name!r}", "spell it in one way, without blanks"
            )
    return composed
