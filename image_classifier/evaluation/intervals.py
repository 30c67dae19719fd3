"""95 % intervals for a proportion, for the difference of two proportions on the same examples, and for a mean."""

import math
import statistics
from collections.abc import Sequence

Interval = tuple[float, float]

Z95 = 1.959963984540054  # 97.5 % point of the standard normal distribution
_HALVINGS = 60  # from a width of 1 to below the spacing of floats


def wilson(successes: int, n: int) -> Interval | None:
    """The 95 % score interval of a proportion (Wilson 1927) inside [0, 1]; None when there are no examples."""
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} examples")
    if n == 0:
        return None
    share, z2 = successes / n, Z95 * Z95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # Rounding must not leave 1e-17 or 0.9999999999999999 where the formula gives 0 or 1.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def paired_difference(n01: int, n10: int, n: int) -> Interval | None:
    """The 95 % score interval of (n01 - n10) / n (Tango 1998); None when there are no examples.

    Of `n` examples that both models were asked, `n01` only the second gets right and `n10` only the first.
    """
    if min(n01, n10) < 0 or n01 + n10 > n:
        raise ValueError(f"{n01} and {n10} of {n} examples")
    if n == 0:
        return None
    observed = (n01 - n10) / n
    low, high = (_edge(n01, n10, n, observed, limit) for limit in (-1.0, 1.0))
    return low, high


def mean(values: Sequence[float]) -> Interval | None:
    """The 95 % t interval of the mean of shares, inside [0, 1]; None for fewer than two.

    It covers what differs between the values, as the seeds of repeated runs do, if they are independent.
    """
    if len(values) < 2:
        return None
    centre = statistics.fmean(values)
    half = t95(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return max(0.0, centre - half), min(1.0, centre + half)


def t95(degrees: int) -> float:
    """The 97.5 % point of Student's t distribution."""
    from scipy import special  # noqa: PLC0415  (a tenth of a second, which most commands need not pay)

    return float(special.stdtrit(degrees, 0.975))


def _edge(n01: int, n10: int, n: int, inside: float, outside: float) -> float:
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if _not_rejected(n01, n10, n, middle):
            inside = middle
        else:
            outside = middle
    return inside


def _not_rejected(n01: int, n10: int, n: int, difference: float) -> bool:
    # Tango's equations 16 to 19: `share` is the likeliest value of n10 / n if `difference` were the truth.
    linear = (2 * n - n01 + n10) * difference - n01 - n10
    constant = -n10 * difference * (1 - difference)
    share = (math.sqrt(max(0.0, linear * linear - 8 * n * constant)) - linear) / (4 * n)
    variance = n * (2 * share + difference * (1 - difference))
    return (n01 - n10 - n * difference) ** 2 <= Z95 * Z95 * variance
