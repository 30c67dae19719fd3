"""Frequent item sets: every combination of up to three items that enough examples have (Agrawal and Srikant 1994)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_MOST_CANDIDATES = 500_000  # of pairs, and of triples; some seconds' work for 10,000 examples

Marks = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class ItemSets:
    """Sets of item numbers, shorter ones first, and how many examples have them: in all, and inside each mask."""

    sets: list[tuple[int, ...]]
    counts: Counts  # sets × (all, each mask)
    longest: int  # the most items that were combined


def packed(marks: Marks) -> Bits:
    """64 examples in a number; an operation on one is an operation on all of them."""
    padded = np.pad(marks, [*[(0, 0)] * (marks.ndim - 1), (0, -marks.shape[-1] % 64)])
    return np.packbits(padded, axis=-1).view(np.uint64)


def counted(rows: Bits) -> Counts:
    """How many examples each row of packed marks has."""
    return np.asarray(np.bitwise_count(rows).sum(axis=-1, dtype=np.int64))


def frequent(items: Marks, least: int, masks: Sequence[Marks] = ()) -> ItemSets:
    """All sets of up to three of the items (items × examples) that at least `least` examples have.

    Where so many are to be looked at that it would take minutes, the sets have one or two items only.
    """
    chosen = np.flatnonzero(items.sum(axis=1) >= least)
    bits = packed(items[chosen])
    inside = packed(np.stack([np.ones(items.shape[1], bool), *masks]))
    counts = [_counts(bits, inside)]
    sets: list[tuple[int, ...]] = [(int(one),) for one in chosen]
    if len(chosen) * (len(chosen) - 1) // 2 > _MOST_CANDIDATES:
        return ItemSets(sets, counts[0], 1)
    pairs = np.zeros((len(chosen), len(chosen)), bool)
    for one in range(len(chosen) - 1):
        later = np.arange(one + 1, len(chosen))
        kept, found = _extended(bits[one], bits, later, inside, least)
        pairs[one, kept] = True
        sets += [(int(chosen[one]), int(chosen[other])) for other in kept]
        counts.append(found)
    # Of pairs (i, j) and (i, k) and (j, k) with i < j < k; a triple can only be frequent if all three are.
    candidates = (pairs.astype(np.int64) @ pairs.T.astype(np.int64) * pairs).sum()
    if candidates > _MOST_CANDIDATES:
        return ItemSets(sets, np.concatenate(counts), 2)
    for one, two in zip(*np.nonzero(pairs), strict=True):
        third = np.flatnonzero(pairs[one] & pairs[two])
        kept, found = _extended(bits[one] & bits[two], bits, third, inside, least)
        sets += [(int(chosen[one]), int(chosen[two]), int(chosen[other])) for other in kept]
        counts.append(found)
    return ItemSets(sets, np.concatenate(counts), 3)


def _extended(row: Bits, bits: Bits, others: Counts, inside: Bits, least: int) -> tuple[Counts, Counts]:
    """Which of the others are frequent together with `row`, and their counts."""
    rows = row & bits[others]
    enough = counted(rows) >= least
    return others[enough], _counts(rows[enough], inside)


def _counts(rows: Bits, inside: Bits) -> Counts:
    return np.stack([counted(rows & mask) for mask in inside], axis=1)
