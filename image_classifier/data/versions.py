"""What has changed between two versions of a data set, example by example, in words for people."""

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from image_classifier.data.pairing import Pairs, VersionExamples, changed, paired
from image_classifier.data.store import INDEX, Store, open_store
from image_classifier.errors import UserError

_NAMED = 8  # examples in one message
# An index says the digest last, so that of a long one the rest is not read.
_TAIL_BYTES = 200
_LAST = re.compile(rb'"digest": "([0-9a-f]{64})"\s*}\s*$')
_SAID = {
    "more": "more",
    "fewer": "fewer",
    "relabelled": "different",
    "changed": "changed",
    "moved": "in another split",
    "renamed": "renamed",
}


@dataclass(frozen=True)
class Difference:
    """How many examples differ in what way (`more`, `fewer`, `relabelled`, …), which they are, and what else differs.

    Examples without names are only counted.
    """

    noun: str
    counts: Mapping[str, int]
    named: Mapping[str, Sequence[str]] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """All on one line: `12 images more (cat/31.png, …), 3 labels different (dog/7.png: dog, now cat)`."""
        told = [what for what, count in self.counts.items() if count]
        most = max(1, _NAMED // max(1, len(told)))
        parts = [self._part(what, most) for what in told]
        return ", ".join([*parts, *self.beside]) or f"the same {self.noun}s in another order"

    def _part(self, what: str, most: int) -> str:
        count, names = self.counts[what], self.named.get(what, ())
        noun = "label" if what == "relabelled" else self.noun
        listed = f" ({', '.join(names[:most])}{', …' * (count > most)})" if names else ""
        return f"{count:,} {noun}{'s' * (count != 1)} {_SAID[what]}{listed}"


def kept(cache_folder: Path, digest: str) -> Store | None:
    """The store of this digest in the cache folder, if it is still there and whole."""
    for index in cache_folder.glob(f"*/{INDEX}"):
        with contextlib.suppress(UserError, OSError):  # damaged, not readable, or just removed by another process
            if _last_digest(index) == digest:
                return open_store(index.parent)
    return None


def _last_digest(index: Path) -> str | None:
    with index.open("rb") as stream:
        stream.seek(max(0, index.stat().st_size - _TAIL_BYTES))
        last = _LAST.search(stream.read())
    return last[1].decode() if last else None


def difference(before: Store, now: Store) -> Difference:
    """What has changed: by name where names say which example is which in both, else by content.

    Examples are read a few at a time: neither store is held in memory.
    """
    noun = "image" if now.columns is None else "row"
    old, new, prepared = VersionExamples(before), VersionExamples(now), _otherwise_prepared(before, now)
    found = paired(old, new, comparable=not prepared)
    if found is None:  # nothing says which example is which
        grown = len(new.labels) - len(old.labels)
        counts = {"more": max(0, grown), "fewer": max(0, -grown)}
        return Difference(noun, counts, beside=(*_classes(old, new, {}), *prepared))
    pairs = found.by_name + found.by_content
    if not pairs:
        return Difference(noun, {}, beside=(f"none of its {len(new.labels):,} {noun}s was there before", *prepared))
    called = _renamed_classes(old, new, pairs)
    relabelled = [(a, b) for a, b in pairs if called.get(old.label(a), old.label(a)) != new.label(b)]
    moved = [(a, b) for a, b in pairs if old.split(a) != new.split(b)]
    # A folder's names tell of class and split: who has another one of these has another name.
    otherwise = {*relabelled, *moved, *(pair for pair in found.by_content if old.label(pair[0]) in called)}
    renamed = [pair for pair in found.by_content if old.names and new.names and pair not in otherwise]
    other = [] if prepared else changed(old, new, found.by_name)
    told: dict[str, tuple[Sequence[Any], Callable[[Any], str]]] = {
        "more": (found.more, new.name),
        "fewer": (found.fewer, old.name),
        "relabelled": (relabelled, lambda pair: f"{new.name(pair[1])}: {old.label(pair[0])}, now {new.label(pair[1])}"),
        "changed": (other, lambda pair: new.name(pair[1])),
        "moved": (moved, lambda pair: f"{new.name(pair[1])}: {old.split(pair[0])}, now {new.split(pair[1])}"),
        "renamed": (renamed, lambda pair: f"{old.name(pair[0])}, now {new.name(pair[1])}"),
    }
    counts = {what: len(which) for what, (which, _) in told.items()}
    named = {what: [text(each) for each in which[:_NAMED]] for what, (which, text) in told.items()}
    grouped = ("other groups",) if _regrouped(old, new, pairs) else ()
    beside = (*_classes(old, new, called), *grouped, *prepared)
    return Difference(noun, counts, named if old.names and new.names else {}, beside)


def _otherwise_prepared(before: Store, now: Store) -> tuple[str, ...]:
    """Why the values of one store cannot be compared with those of the other, if so."""
    if (before.columns is None) != (now.columns is None):
        return ("images in place of rows" if now.columns is None else "rows of a table in place of images",)
    if before.columns != now.columns:
        old, new = before.columns or (), now.columns or ()
        names = {each.name for each in set(old) ^ set(new)}
        return (f"other columns or categories ({', '.join(sorted(names)[:_NAMED])}): values are not compared",)
    if before.shape != now.shape:
        one, other = ("×".join(map(str, store.shape)) for store in (before, now))
        return (f"prepared at {one}, now at {other}: pixels are not compared",)
    return ()


def _renamed_classes(old: VersionExamples, new: VersionExamples, pairs: Pairs) -> dict[str, str]:
    """Classes that have another name now: all that was in the one is in the other, and nothing else."""
    there, back = defaultdict(set), defaultdict(set)
    for a, b in pairs:
        there[old.label(a)].add(new.label(b))
        back[new.label(b)].add(old.label(a))
    called = {name: next(iter(names)) for name, names in there.items() if len(names) == 1}
    return {
        name: now
        for name, now in called.items()
        if name not in new.classes and now not in old.classes and len(back[now]) == 1
    }


def _classes(old: VersionExamples, new: VersionExamples, called: Mapping[str, str]) -> tuple[str, ...]:
    """What is said of the classes."""
    renamed = [f"the class {name} is called {now} now" for name, now in called.items()]
    added = [name for name in new.classes if name not in (*old.classes, *called.values())]
    gone = [name for name in old.classes if name not in (*new.classes, *called)]
    return (*renamed, *_listed(added, "new"), *_listed(gone, "gone"))


def _listed(names: Sequence[str], what: str) -> tuple[str, ...]:
    if not names:
        return ()
    several = len(names) > 1
    shown = ", ".join(names[:_NAMED]) + " …" * (len(names) > _NAMED)
    return (f"the class{'es' * several} {shown} {'are' if several else 'is'} {what}",)


def _regrouped(old: VersionExamples, new: VersionExamples, pairs: Pairs) -> bool:
    """Whether examples that belonged together no longer do, or others do."""
    if old.groups is None or new.groups is None:
        return (old.groups is None) != (new.groups is None)
    both = {(int(old.groups[a]), int(new.groups[b])) for a, b in pairs}
    return not len({a for a, _ in both}) == len({b for _, b in both}) == len(both)
