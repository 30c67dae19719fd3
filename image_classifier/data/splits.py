"""Stratified splits that are a function of the seed and the labels, and of nothing else."""

import numpy as np

from image_classifier.data.examples import Labels
from image_classifier.randomness import bits, key


def validation_split(labels: Labels, fraction: float, split_seed: int) -> tuple[Labels, Labels]:
    """Sorted indices of what stays in train and of the validation part; each class keeps at least one in train."""
    return _split(labels, fraction, split_seed, "validation")


def held_out_test_split(labels: Labels, fraction: float, split_seed: int) -> tuple[Labels, Labels]:
    """Sorted indices of what stays in train and of the test part, for a source without its own."""
    return _split(labels, fraction, split_seed, "test")


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
