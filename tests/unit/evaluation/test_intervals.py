"""Intervals against scipy, published examples and simulation."""

import numpy as np
import pytest
from scipy import stats

from image_classifier.evaluation.intervals import Z95, mean, paired_difference, t95, wilson

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("accuracy", "half_width"), [(0.90, 0.0059), (0.94, 0.0047)])
def test_wilson_at_ten_thousand_has_the_known_width(accuracy, half_width):
    low, high = wilson(round(accuracy * 10_000), 10_000)
    assert (high - low) / 2 == pytest.approx(half_width, abs=0.00005)
    assert low < accuracy < high


@pytest.mark.parametrize(
    ("successes", "n"), [(0, 1), (1, 1), (0, 7), (7, 7), (3, 7), (270, 270), (1, 1000), (612, 10_000)]
)
def test_wilson_is_scipys(successes, n):
    truth = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((truth.low, truth.high), abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 27, 999, 10_000])
def test_wilson_stays_inside_zero_and_one_and_touches_them_exactly(n):
    assert wilson(0, n)[0] == 0.0
    assert wilson(n, n)[1] == 1.0
    assert 0.0 < wilson(0, n)[1] < 1.0
    assert 0.0 < wilson(n, n)[0] < 1.0


def test_no_examples_have_no_interval():
    assert wilson(0, 0) is None
    assert paired_difference(0, 0, 0) is None


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ValueError, match=f"{successes} successes in {n}"):
        wilson(successes, n)


@pytest.mark.parametrize(("n01", "n10"), [(-1, 0), (0, -1), (3, 3)])
def test_impossible_pairs_are_refused(n01, n10):
    with pytest.raises(ValueError, match="of 5 examples"):
        paired_difference(n01, n10, 5)


def test_the_paired_interval_gives_the_published_example():
    # Bentur et al. 2009 (1, 1, 7, 12) in Fagerland, Lydersen and Laake 2014.
    assert paired_difference(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=0.0005)


def _roots_of_tangos_quartic(b: int, c: int, n: int) -> list[float]:
    # Yang, Sun and Hardin 2013: both limits are roots of one polynomial of degree four.
    g, d, s = Z95**2, b - c, b + c
    coefficients = [
        n**2 * (n / g + 1) ** 2,
        -n * d * (n / g + 1) * (4 * n / g + 1),
        2 * n * d**2 * (3 * n / g + 2) / g - n**2 * (s / g + 1),
        n * d * (2 * s / g + 1) - d**3 * (4 * n / g + 1) / g,
        d**2 * (d**2 / g - s) / g,
    ]
    return [root.real for root in np.roots(coefficients) if abs(root.imag) < 1e-6]


@pytest.mark.parametrize(("n01", "n10", "n"), [(1, 7, 21), (40, 20, 160), (12, 12, 100), (130, 70, 10_000), (0, 3, 50)])
def test_the_paired_interval_ends_at_roots_of_the_closed_form(n01, n10, n):
    roots = _roots_of_tangos_quartic(n01, n10, n)
    for edge in paired_difference(n01, n10, n):
        assert min(abs(root - edge) for root in roots) < 1e-7


def test_the_paired_interval_turns_with_the_order_of_the_models():
    low, high = paired_difference(30, 11, 500)
    assert paired_difference(11, 30, 500) == pytest.approx((-high, -low), abs=1e-12)


@pytest.mark.parametrize("n01", [0, 1, 20])
def test_the_paired_interval_stays_inside_minus_one_and_one(n01):
    low, high = paired_difference(n01, 20 - n01, 20)
    assert -1.0 <= low < high <= 1.0
    assert low <= (2 * n01 - 20) / 20 <= high


@pytest.mark.parametrize(("p01", "p10", "n"), [(0.06, 0.03, 200), (0.01, 0.01, 1000), (0.25, 0.10, 60)])
def test_the_paired_interval_covers_the_true_difference_95_times_in_100(p01, p10, n):
    draws = np.random.default_rng(7).multinomial(n, [p01, p10, 1 - p01 - p10], size=2000)
    intervals = (paired_difference(int(n01), int(n10), n) for n01, n10, _ in draws)
    covered = sum(low <= p01 - p10 <= high for low, high in intervals) / len(draws)
    assert 0.935 <= covered <= 0.97


def test_pairing_tells_smaller_differences_than_two_separate_intervals():
    # FACTS: at 94 % of 10,000, paired models with 2 % of disagreements need 0.28 points, unpaired ones 0.66.
    assert paired_difference(114, 86, 10_000)[0] > 0
    assert paired_difference(113, 87, 10_000)[0] < 0


@pytest.mark.parametrize(
    ("degrees", "point"),
    [
        (1, 12.7062),
        (2, 4.30265),
        (3, 3.18245),
        (4, 2.77645),
        (10, 2.22814),
        (19, 2.09302),
        (30, 2.04227),
        (999, 1.96234),
    ],
)
def test_student_s_points_are_those_of_the_tables(degrees, point):
    assert t95(degrees) == pytest.approx(point, rel=1e-5)


@pytest.mark.parametrize("values", [[0.5, 0.6], [0.2, 0.9, 0.4, 0.35], [0.91, 0.92, 0.95, 0.9, 0.93, 0.97]])
def test_the_interval_of_a_mean_is_scipy_s(values):
    low, high = stats.t.interval(0.95, len(values) - 1, loc=sum(values) / len(values), scale=stats.sem(values))
    assert mean(values) == pytest.approx((max(0, low), min(1, high)))


def test_the_interval_of_a_mean_stays_a_share_and_needs_two_values():
    assert mean([1.0, 1.0, 1.0]) == (1.0, 1.0)
    assert mean([0.0, 1.0]) == (0.0, 1.0)
    assert mean([0.5]) is None
    assert mean([]) is None
