"""Which example of one version of a data set is which of another: by name, else by content."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from image_classifier.data.store import Store

_AT_ONCE = 256  # examples of each store that are compared at a time
_BY_PLACE = re.compile(r"row \d+")  # what rows without a key are called

Numbers = npt.NDArray[np.int64]
Pairs = list[tuple[int, int]]


class VersionExamples:
    """All examples of a store, counted through its splits."""

    def __init__(self, store: Store) -> None:
        parts = store.splits.values()
        self.classes = store.classes
        self.labels = np.concatenate([part.labels for part in parts])
        self._inputs = [part.inputs for part in parts]
        self._splits = tuple(store.splits)
        self._in = np.repeat(np.arange(len(self._inputs)), [len(each) for each in self._inputs])
        self._starts = np.cumsum([0, *(len(each) for each in self._inputs)])
        self.groups = _joined([part.groups for part in parts])
        self.names = _telling([name for part in parts for name in part.names or ()])

    def name(self, row: int) -> str:
        """What the example is called; nothing where it has no name of its own."""
        return self.names[row] if self.names else ""

    def label(self, row: int) -> str:
        """The name of its class."""
        return self.classes[int(self.labels[row])]

    def split(self, row: int) -> str:
        """The name of its split."""
        return self._splits[int(self._in[row])]

    def inputs(self, rows: Sequence[int]) -> npt.NDArray[Any]:
        """The pixels or numbers of these examples."""
        chosen = np.array(rows, np.int64)
        found = np.empty((len(chosen), *self._inputs[0].shape[1:]), self._inputs[0].dtype)
        for split, inputs in enumerate(self._inputs):
            here = self._in[chosen] == split
            found[here] = inputs[chosen[here] - self._starts[split]]
        return found

    def contents(self, rows: Sequence[int]) -> Iterable[bytes]:
        """A digest of each of these examples."""
        for some in _pieces(rows):
            yield from (blake2b(each.tobytes(), digest_size=16).digest() for each in self.inputs(some))


def _joined(groups: Sequence[Numbers | None]) -> Numbers | None:
    there = [each for each in groups if each is not None]
    return np.concatenate(there) if len(there) == len(groups) else None


def _telling(names: Sequence[str]) -> Sequence[str] | None:
    """The names, if each is of one example whatever stands before it."""
    by_place = bool(names) and all(_BY_PLACE.fullmatch(name) for name in names)
    return names if names and not by_place and len(set(names)) == len(names) else None


def _pieces(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))


@dataclass(frozen=True)
class Paired:
    """Which example of one version is which of the other, as numbers; and those that the other has not."""

    by_name: Pairs
    by_content: Pairs
    fewer: Sequence[int]
    more: Sequence[int]


def paired(old: VersionExamples, new: VersionExamples, *, comparable: bool) -> Paired | None:
    """The pairs; None where neither names nor contents say which example is which."""
    fewer, more = list(range(len(old.labels))), list(range(len(new.labels)))
    named: Pairs = []
    if old.names and new.names:
        named, fewer, more = _matched(zip(old.names, fewer, strict=True), zip(new.names, more, strict=True))
    elif not comparable:
        return None
    alike: Pairs = []
    if comparable and fewer and more:
        contents = [dict(zip(rows, each.contents(rows), strict=True)) for each, rows in ((old, fewer), (new, more))]
        # Of equal ones those with the same class and split first.
        for traits in (("label", "split"), ("label",), ()):
            keys = [
                [((content[row], *(getattr(each, trait)(row) for trait in traits)), row) for row in rows]
                for each, rows, content in zip((old, new), (fewer, more), contents, strict=True)
            ]
            found, fewer, more = _matched(*keys)
            alike += found
    return Paired(named, alike, fewer, more)


def _matched(
    old: Iterable[tuple[Hashable, int]], new: Iterable[tuple[Hashable, int]]
) -> tuple[Pairs, list[int], list[int]]:
    """Pairs of rows with one key, each in one pair at most; and what is left of both."""
    waiting = defaultdict(list)
    for key, row in old:
        waiting[key].append(row)
    pairs, left = [], []
    for key, row in new:
        if waiting.get(key):
            pairs.append((waiting[key].pop(), row))
        else:
            left.append(row)
    return pairs, sorted(row for rows in waiting.values() for row in rows), left


def changed(old: VersionExamples, new: VersionExamples, pairs: Pairs) -> Pairs:
    """Those of the pairs whose pixels or numbers differ."""
    found = []
    for some in _pieces(pairs):
        one, other = zip(*some, strict=True)
        differs = (old.inputs(one) != new.inputs(other)).reshape(len(some), -1).any(axis=1)
        found += [pair for pair, differs_here in zip(some, differs.tolist(), strict=True) if differs_here]
    return found
