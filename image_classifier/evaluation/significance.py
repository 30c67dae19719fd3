"""p-values: how likely what was seen would be if nothing but chance were at work."""

from collections.abc import Sequence


def mcnemar(n01: int, n10: int) -> float:
    """The exact two-sided p-value of McNemar's test: how likely so uneven a split of the disagreements is by chance."""
    total, smaller = n01 + n10, min(n01, n10)
    if abs(n01 - n10) <= 1:
        return 1.0
    from scipy import special  # noqa: PLC0415  (a tenth of a second, which most commands need not pay)

    # P(X <= smaller) of a binomial distribution with a half, as the incomplete beta function that it equals.
    return min(1.0, 2 * float(special.betainc(total - smaller, smaller + 1, 0.5)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value corrected for their number (Holm 1979), in the given order."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
