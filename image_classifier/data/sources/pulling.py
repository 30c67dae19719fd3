"""A copy of objects in the cache folder: pulled several at a time, each checked and noted, so that a break loses none.

Objects are put in their places in one step. A journal says which are whole, and which parts of large ones are there.
"""

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from image_classifier import files
from image_classifier.data.sources.attempts import GoneError
from image_classifier.data.sources.bucket import AT_ONCE, Bucket
from image_classifier.data.sources.checking import Checks, damaged, md5_of
from image_classifier.data.sources.crew import each_done
from image_classifier.data.sources.journal import Journal, Kept
from image_classifier.data.sources.object_names import Remote
from image_classifier.errors import UserError

PART = 8 << 20  # bytes; so many are read at once
_WHOLE = -1
_logger = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """An object, the bucket that has it, and the name that its copy gets."""

    name: str
    bucket: Bucket
    found: Remote

    @property
    def where(self) -> str:
        """Its address."""
        return f"{self.bucket.root}/{self.found.path}"

    def read(self, start: int, end: int) -> bytes:
        """Some of its bytes."""
        return self.bucket.read(self.found.path, start, end)


class _Piece(NamedTuple):
    wanted: Wanted
    number: int


class PulledCopy:
    """The copies of some objects below `folder`; for whoever holds its lock."""

    def __init__(self, folder: Path, *, quiet: bool) -> None:
        self.files = folder / "files"
        self._folder, self._parts, self._journal = folder, folder / "parts", Journal(folder / "journal")
        self._quiet = quiet
        self._kept: dict[str, Kept] = {}
        self._checks = Checks()
        self._folders: set[Path] = set()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else pulls into it or reads it meanwhile."""
        files.make_folder(self._folder)
        with contextlib.ExitStack() as lock:
            try:
                lock.enter_context(files.lock(self._folder, "busy"))
            except UserError:
                _logger.info("waiting for another process that pulls the same data or reads it")
                lock.enter_context(files.lock(self._folder))
            yield

    def path(self, name: str) -> Path:
        """Where the object's copy is."""
        return self.files / name

    def md5(self, name: str) -> str:
        """The md5 of the object's copy."""
        return self._kept[name].md5

    def pull(
        self, wanted: Sequence[Wanted], *, only: bool = True, thorough: bool = True, spared: str | None = None
    ) -> bool:
        """Have the copies of these objects, and with `only` of no others but `spared`; whether any was pulled.

        With `thorough` every byte that is there is checked, else its size. An object that is gone meanwhile is left
        out: whoever lists again sees that.
        """
        kept, parts = self._journal.read()
        self._kept = {each.name: kept[each.name] for each in wanted if self._has(each, kept.get(each.name), thorough)}
        names = {each.name for each in wanted}
        if only:
            self._prune(names | {str(spared)})
        missing = [each for each in wanted if each.name not in self._kept]
        if not missing:
            return False
        others = {name: each for name, each in kept.items() if name not in names and not (only and name != spared)}
        resumed = {each: numbers for each in missing if (numbers := self._resumable(each, parts))}
        self._clear({_hidden(each) for each in resumed})
        self._journal.write(others | self._kept, {_hidden(each): numbers for each, numbers in resumed.items()})
        self._fetch(missing, resumed)
        return True

    def _has(self, wanted: Wanted, kept: Kept | None, thorough: bool) -> bool:
        found = wanted.found
        if kept is None or found.version is None or (kept.size, kept.version) != (found.size, found.version):
            return False
        path = self.path(wanted.name)
        try:
            return path.stat().st_size == found.size and (not thorough or md5_of(path) == kept.md5)
        except OSError:
            return False

    def _resumable(self, wanted: Wanted, parts: dict[str, set[int]]) -> set[int]:
        hidden = _hidden(wanted)
        there = wanted.found.version is not None and (self._parts / hidden).is_file()
        return parts.get(hidden, set()) if there else set()

    def _clear(self, resumed: set[str]) -> None:
        files.make_folder(self._parts)
        for path in self._parts.iterdir():
            if path.name not in resumed:
                files.discard(path)

    def _prune(self, names: set[str]) -> None:
        """Remove all files that are no copy of these objects; a break may have left some that the journal lacks."""
        folders = {""}
        for name in names:
            while (name := name.rpartition("/")[0]) not in folders:
                folders.add(name)
        for where, below, there in os.walk(self.files):
            inside = os.path.relpath(where, self.files)
            begin = "" if inside == "." else f"{inside}/"
            for each in [each for each in below if begin + each not in folders]:
                files.discard(Path(where, each))
                below.remove(each)
            for each in there:
                if begin + each not in names:
                    files.discard(Path(where, each))

    def _fetch(self, missing: Sequence[Wanted], resumed: dict[Wanted, set[int]]) -> None:
        total = sum(each.found.size for each in missing)
        there = sum(_length(each.found, number) for each, numbers in resumed.items() for number in numbers)
        size, objects = tqdm.format_sizeof(total - there, "B"), "objects" if len(missing) > 1 else "object"
        _logger.info("pulling %d %s (%s) from %s", len(missing), objects, size, missing[0].bucket.root)
        left = {each: _parts(each.found) - len(resumed.get(each, ())) for each in missing if each.found.size > PART}
        pieces = (
            _Piece(each, number)
            for each in missing
            for number in (range(_parts(each.found)) if each.found.size > PART else (_WHOLE,))
            if number not in resumed.get(each, ())
        )
        bar = tqdm(
            total=total, initial=there, unit="B", unit_scale=True, desc="pulling", disable=self._quiet or None,
            leave=False,
        )  # fmt: skip
        with bar, self._journal.opened():
            for each in [each for each, parts in left.items() if not parts]:
                self._put_together(each)
            for (wanted, number), md5 in each_done(self._pulled, pieces, AT_ONCE):
                bar.update(_length(wanted.found, number))
                if md5 is None:
                    left.pop(wanted, None)
                elif number == _WHOLE:
                    self._note(wanted, md5)
                elif wanted in left:
                    self._journal.add(_hidden(wanted), number)
                    left[wanted] -= 1
                    if not left[wanted]:
                        self._put_together(wanted)

    def _note(self, wanted: Wanted, md5: str) -> None:
        self._kept[wanted.name] = Kept(wanted.found.size, wanted.found.version, md5)
        self._journal.add(wanted.name, *self._kept[wanted.name])

    def _pulled(self, piece: _Piece) -> str | None:
        """Write an object, or a part of one; its md5 where it is whole, None where it is gone."""
        wanted, number = piece
        try:
            if number == _WHOLE:
                data, md5 = self._checks.agreed(
                    lambda: wanted.read(0, wanted.found.size), wanted.found.version, wanted.where
                )
                _write(self._parts / _hidden(wanted), data)
                self._place(wanted)
                return md5
            start = number * PART
            data = wanted.read(start, start + _length(wanted.found, number))
            _write(self._parts / _hidden(wanted), data, start)
        except GoneError:
            return None
        return ""

    def _put_together(self, wanted: Wanted) -> None:
        """Check a large object whose parts are all there; if it is doubted, its parts are read a second time."""
        path = self._parts / _hidden(wanted)
        md5 = md5_of(path)
        if self._checks.doubted(wanted.found.version, md5):
            _logger.info("%s is not what its ETag says: it is read again", wanted.where)
            for number in range(_parts(wanted.found)):
                if self._pulled(_Piece(wanted, number)) is None:
                    return
            again = md5_of(path)
            if self._checks.doubted(wanted.found.version, again):
                if again != md5:
                    files.discard(path)
                    raise damaged(wanted.where)
                self._checks.accept()
            md5 = again
        self._place(wanted)
        self._note(wanted, md5)

    def _place(self, wanted: Wanted) -> None:
        target = self.path(wanted.name)
        if target.parent not in self._folders:
            files.make_folder(target.parent)
            self._folders.add(target.parent)
        files.move(self._parts / _hidden(wanted), target)


def _parts(found: Remote) -> int:
    return -(-found.size // PART)


def _length(found: Remote, number: int) -> int:
    return found.size if number == _WHOLE else min(PART, found.size - number * PART)


def _hidden(wanted: Wanted) -> str:
    """What an object's file is called until it is whole; another version has another name."""
    return files.digest_bytes(files.canonical_json([wanted.name, *wanted.found]).encode())


def _write(path: Path, data: bytes, start: int = 0) -> None:
    """Write into a file at a place; it is made if it is not there."""
    with files.disk_errors(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            rest = memoryview(data)
            while rest:
                written = os.pwrite(descriptor, rest, start)
                rest, start = rest[written:], start + written
        finally:
            os.close(descriptor)
