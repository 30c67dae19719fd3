"""p-values against scipy and by hand."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from image_classifier.evaluation.significance import below_false_discovery, holm, mcnemar, more_than_chance

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


@pytest.mark.parametrize(
    ("all_", "all_errors"),
    [(1, 0), (1, 1), (7, 3), (60, 0), (60, 60), (60, 1), (60, 59), (60, 17), (10_000, 650), (10_000, 9_990)],
)
def test_more_errors_than_chance_has_the_upper_tail_of_scipys_hypergeometric_distribution(all_, all_errors):
    sizes = np.unique(np.linspace(0, all_, 41, dtype=np.int64))
    shares = np.unique(np.linspace(0, 1, 29))
    pairs = {(int(size), round(size * share)) for size in sizes for share in shares}
    size, errors = np.array(sorted(pairs)).T
    truth = stats.hypergeom.sf(errors - 1, all_, all_errors, size)
    found = more_than_chance(errors, size, all_errors, all_)
    np.testing.assert_allclose(found, truth, rtol=1e-7, atol=1e-13)


def test_more_errors_than_chance_is_exact_where_it_is_computed_in_fractions():
    ways = sum(math.comb(30, k) * math.comb(370, 50 - k) for k in range(12, 31))
    by_hand = Fraction(ways, math.comb(400, 50))
    found = more_than_chance(np.array([12]), np.array([50]), 30, 400)
    assert found == pytest.approx([float(by_hand)], rel=1e-11)
    assert 1e-6 < found[0] < 1e-3


def test_a_chance_of_one_in_ten_to_the_hundred_is_still_told():
    by_hand = Fraction(1, math.comb(1000, 60))
    assert more_than_chance(np.array([60]), np.array([60]), 60, 1000) == pytest.approx([float(by_hand)], rel=1e-9)


def test_sets_of_all_examples_and_of_none_are_never_more_than_chance():
    assert more_than_chance(np.array([5, 0]), np.array([20, 0]), 5, 20).tolist() == [1, 1]
    assert more_than_chance(np.array([], np.int64), np.array([], np.int64), 5, 20).tolist() == []


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("truly", [0, 3, 40])
def test_findings_stand_where_scipys_corrected_p_value_is_within_the_rate(rate, truly):
    random = np.random.default_rng([truly, int(100 * rate)])
    p_values = np.concatenate([random.random(200), 10.0 ** -random.integers(2, 9, truly), [0.0, 1.0, 1e-4, 1e-4]])
    random.shuffle(p_values)
    truth = stats.false_discovery_control(p_values, method="by") <= rate
    assert below_false_discovery(p_values, rate).tolist() == truth.tolist()
    assert truth.any()


def test_without_findings_none_stand_and_one_is_held_to_the_rate_itself():
    assert below_false_discovery(np.array([]), 0.05).tolist() == []
    assert below_false_discovery(np.array([0.05]), 0.05).tolist() == [True]
    assert below_false_discovery(np.array([0.0501]), 0.05).tolist() == [False]
    assert below_false_discovery(np.ones(9), 0.05).tolist() == [False] * 9
