"""p-values: how likely what was seen would be if nothing but chance were at work."""

import math
from collections.abc import Sequence

import numpy as np


def mcnemar(n01: int, n10: int) -> float:
    """The exact two-sided p-value of McNemar's test: how likely so uneven a split of the disagreements is by chance."""
    total, smaller = n01 + n10, min(n01, n10)
    if abs(n01 - n10) <= 1:
        return 1.0
    # P(X <= smaller) = P(X = smaller) (1 + r1 + r1 r2 + …): no term can overflow, and none is lost to rounding.
    log_first = math.lgamma(total + 1) - math.lgamma(smaller + 1) - math.lgamma(total - smaller + 1)
    first = math.exp(log_first - total * math.log(2))
    descending = np.arange(smaller, 0, -1, dtype=np.float64)
    tail = 1 + float(np.cumprod(descending / (total - descending + 1)).sum())
    return min(1.0, 2 * first * tail)


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value corrected for their number (Holm 1979), in the given order."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
