"""Stratified splits that are a function of the seed, the labels and the groups, and of nothing else."""

from collections.abc import Sequence

import numpy as np

from image_classifier.data.examples import Labels
from image_classifier.randomness import bits, key, order

# Of so many random orders the best stratified one is taken; fewer where there are many groups, which need it less.
_TRIALS, _GROUPS_TRIED = 32, 50_000


def validation_split(
    labels: Labels, fraction: float, split_seed: int, groups: Labels | None = None
) -> tuple[Labels, Labels]:
    """Sorted indices of what stays in train and of the validation part; each class keeps at least one in train."""
    return _either(labels, groups, fraction, split_seed, "validation")


def held_out_test_split(
    labels: Labels, fraction: float, split_seed: int, groups: Labels | None = None
) -> tuple[Labels, Labels]:
    """Sorted indices of what stays in train and of the test part, for a source without its own."""
    return _either(labels, groups, fraction, split_seed, "test")


def numbered(groups: Sequence[str]) -> Labels:
    """The groups as numbers in the order in which they first appear: what they are called changes nothing."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)


def _either(
    labels: Labels, groups: Labels | None, fraction: float, split_seed: int, purpose: str
) -> tuple[Labels, Labels]:
    if groups is None:
        return _split(labels, fraction, split_seed, purpose)
    return _split_by_group(labels, groups, fraction, split_seed, purpose)


def _split(labels: Labels, fraction: float, split_seed: int, purpose: str) -> tuple[Labels, Labels]:
    taken = np.zeros(len(labels), dtype=bool)
    classes, counts = np.unique(labels, return_counts=True)
    for label, quota in zip(classes, _quotas(counts, fraction), strict=True):
        members = np.flatnonzero(labels == label)
        random = bits(key(split_seed, purpose, int(label)), np.arange(len(members)))
        taken[members[np.argsort(random, kind="stable")[:quota]]] = True
    return np.flatnonzero(~taken).astype(np.int64), np.flatnonzero(taken).astype(np.int64)


def _quotas(counts: Labels, fraction: float) -> Labels:
    """How many of each class are taken: the largest remainder method, with one of each class left."""
    ideal = counts * fraction
    quotas: Labels = np.floor(ideal).astype(np.int64)
    total = min(round(int(counts.sum()) * fraction), int((counts - 1).sum()))
    by_remainder = np.argsort(-(ideal - np.floor(ideal)), kind="stable")
    while quotas.sum() < total:
        for position in by_remainder:
            if quotas.sum() < total and quotas[position] < counts[position] - 1:
                quotas[position] += 1
    return quotas


def _split_by_group(
    labels: Labels, groups: Labels, fraction: float, split_seed: int, purpose: str
) -> tuple[Labels, Labels]:
    """Whole groups are taken, so that each class gives its share as nearly as they allow."""
    members = _Members(labels, groups, fraction)
    trials = max(1, min(_TRIALS, _GROUPS_TRIED // max(1, len(members.counts))))
    keys = [key(split_seed, f"{purpose} of groups", trial) for trial in range(trials)]
    found = [members.chosen(order(each, len(members.counts)).tolist()) for each in keys]
    # The first of equally good ones: `min` keeps it.
    _, chosen = min(found, key=lambda each: each[0])
    taken = np.isin(members.numbers, np.array(chosen, dtype=np.int64))
    return np.flatnonzero(~taken).astype(np.int64), np.flatnonzero(taken).astype(np.int64)


class _Members:
    """How many examples of each class a group has, and which groups are taken."""

    def __init__(self, labels: Labels, groups: Labels, fraction: float) -> None:
        _, self.numbers = np.unique(groups, return_inverse=True)
        self.counts: list[list[tuple[int, int]]] = [[] for _ in range(int(self.numbers.max(initial=-1)) + 1)]
        pairs, counts = np.unique(np.stack([self.numbers, labels]), axis=1, return_counts=True)
        for (group, label), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            self.counts[group].append((label, count))
        self._totals: list[int] = np.bincount(labels).tolist()
        self._wanted = [total * fraction for total in self._totals]

    def chosen(self, order_: list[int]) -> tuple[float, list[int]]:
        """Groups in this order, each taken if it brings the classes nearer to their shares; how far off they end."""
        lacking, left = self._wanted.copy(), self._totals.copy()
        taken = []
        for group in order_:
            if self._gain(group, lacking) > 0 and self._spares(group, left):
                self._take(group, lacking, left)
                taken.append(group)
        if not taken and sum(self._wanted) >= 1:
            taken = self._least(order_, lacking, left)
        return sum(lack**2 / total for lack, total in zip(lacking, self._totals, strict=True) if total), taken

    def _least(self, order_: list[int], lacking: list[float], left: list[int]) -> list[int]:
        """Where every group is larger than what is wanted: the one that is least so, and not more than half of all."""
        half = sum(self._totals) / 2
        fit = [g for g in order_ if self._spares(g, left) and sum(count for _, count in self.counts[g]) <= half]
        if not fit:
            return []
        best = max(fit, key=lambda group: self._gain(group, lacking))
        self._take(best, lacking, left)
        return [best]

    def _gain(self, group: int, lacking: list[float]) -> float:
        """How much nearer (as chi-square measures it) the classes are to their shares with this group."""
        return sum(count * (2 * lacking[label] - count) / self._totals[label] for label, count in self.counts[group])

    def _spares(self, group: int, left: list[int]) -> bool:
        return all(left[label] > count for label, count in self.counts[group])

    def _take(self, group: int, lacking: list[float], left: list[int]) -> None:
        for label, count in self.counts[group]:
            lacking[label] -= count
            left[label] -= count
