"""p-values against scipy and by hand."""

import math

import pytest
from scipy import stats

from image_classifier.evaluation.significance import holm, mcnemar

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("n01", "n10"),
    [(0, 0), (0, 1), (1, 1), (3, 9), (9, 3), (10, 12), (0, 40), (113, 87), (500, 501), (5200, 4800), (49_000, 51_000)],
)
def test_mcnemar_is_scipys_exact_binomial_test(n01, n10):
    truth = stats.binomtest(n01, n01 + n10).pvalue if n01 + n10 else 1.0
    assert mcnemar(n01, n10) == pytest.approx(truth, rel=1e-7)


def test_mcnemar_of_few_disagreements_is_the_sum_of_binomials():
    by_hand = 2 * sum(math.comb(14, k) for k in range(4)) / 2**14
    assert mcnemar(3, 11) == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(("n01", "n10"), [(100_000, 0), (0, 100_000), (70_000, 30_000)])
def test_mcnemar_of_a_hundred_thousand_disagreements_neither_overflows_nor_fails(n01, n10):
    assert mcnemar(n01, n10) == 0.0


def test_mcnemar_never_exceeds_one():
    assert max(mcnemar(a, b) for a in range(30) for b in range(30)) == 1.0


def test_holm_is_the_worked_example():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1; the last may not fall below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_a_single_p_value_alone_and_never_exceeds_one():
    assert holm([0.04]) == [0.04]
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
