"""p-values: how likely what was seen would be if nothing but chance were at work."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
PValues = npt.NDArray[np.float64]


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


def more_than_chance(errors: Counts, sizes: Counts, all_errors: int, all_: int) -> PValues:
    """For each set of examples the exact one-sided p-value of having so many of all errors, or more.

    The chance of at least `errors` in `sizes` examples drawn from `all_`, of which `all_errors` are wrong: the upper
    tail of the hypergeometric distribution.
    """
    pairs, which = np.unique(np.stack([errors, sizes]), axis=1, return_inverse=True)
    return _upper_tail(pairs[0], pairs[1], all_errors, all_)[which.ravel()]


def _upper_tail(errors: Counts, sizes: Counts, all_errors: int, all_: int) -> PValues:
    least, most = np.maximum(0, sizes + all_errors - all_), np.minimum(sizes, all_errors)
    # Summed away from the expected number, where the terms only get smaller; above it that is the tail itself.
    rising = errors * (all_ + 2) > (sizes + 1) * (all_errors + 1)
    tails = np.ones(len(errors))
    for chosen, start, step in ((rising, errors, 1), (~rising, errors - 1, -1)):
        part = np.flatnonzero(chosen & (start >= least) & (start <= most))
        total = _sum_of_terms(start[part], sizes[part], all_errors, all_, step)
        tails[part] = total if step > 0 else 1 - total
    tails[errors > most] = 0.0
    return np.clip(tails, 0.0, 1.0)


def _sum_of_terms(start: Counts, sizes: Counts, all_errors: int, all_: int, step: int) -> PValues:
    """Sum of the hypergeometric probabilities from `start` on, upwards or downwards, until they no longer count."""
    from scipy import special  # noqa: PLC0415  (a tenth of a second, which most commands need not pay)

    def log_choose(n: Counts | int, k: Counts | int) -> PValues:
        return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))

    at = start.astype(np.float64)
    rest = all_ - all_errors
    logs = log_choose(all_errors, start) + log_choose(rest, sizes - start) - log_choose(all_, sizes)
    term = np.exp(logs)
    total = term.copy()
    while (term > total * 1e-17).any():
        if step > 0:
            term = term * (all_errors - at) * (sizes - at) / ((at + 1) * (rest - sizes + at + 1))
        else:
            term = term * at * (rest - sizes + at) / ((all_errors - at + 1) * (sizes - at + 1))
        at += step
        total += term
    return total


def below_false_discovery(p_values: PValues, rate: float) -> npt.NDArray[np.bool_]:
    """Which findings stand when at most this share of them may be false, however they depend on each other.

    Benjamini and Yekutieli (2001).
    """
    count = len(p_values)
    ranks = np.arange(1, count + 1)
    limits = ranks * rate / (count * (1 / ranks).sum())
    order = np.argsort(p_values, kind="stable")
    passed = np.flatnonzero(p_values[order] <= limits)
    stand = np.zeros(count, bool)
    stand[order[: passed[-1] + 1 if len(passed) else 0]] = True
    return stand
