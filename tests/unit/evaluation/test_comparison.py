"""Verdicts on pairs of runs whose truth is known."""

import json

import numpy as np
import pytest
from scipy import stats

from image_classifier.evaluation.comparison import Compared, compare
from image_classifier.evaluation.intervals import paired_difference, wilson

pytestmark = pytest.mark.unit

CLASSES = ("no", "yes")
N = 1000


def run(name, wrong, digest="d" * 64, labels=None, classes=CLASSES):
    """A run that errs on exactly these examples."""
    labels = np.arange(N) % 2 if labels is None else labels
    predicted = labels.copy()
    predicted[list(wrong)] = 1 - predicted[list(wrong)]
    return Compared(name, digest, labels, predicted, classes)


BASE = run("e/base", range(100))


def verdicts(*runs):
    return [row.verdict for row in compare(runs).rows]


def test_counts_difference_interval_and_p_are_those_of_the_discordant_pairs():
    other = run("e/other", range(60, 130))  # right on 60 that base misses, wrong on 30 that base has
    row = compare([BASE, other]).to_json()["runs"][1]
    assert (row["n01"], row["n10"], row["n"]) == (60, 30, N)
    assert row["accuracy"] == 0.93
    assert row["accuracy_ci95"] == list(wilson(930, N))
    assert row["difference"] == pytest.approx(0.03)
    assert row["difference_ci95"] == list(paired_difference(60, 30, N))
    assert row["mcnemar_p"] == pytest.approx(stats.binomtest(60, 90).pvalue)
    assert row["mcnemar_p_holm"] == row["mcnemar_p"]


def test_the_verdict_says_in_which_direction_a_run_differs():
    better, worse, same = run("b", range(60, 130)), run("w", range(160)), run("s", range(5, 104))
    assert verdicts(BASE, better) == ["baseline", "better"]
    assert verdicts(BASE, worse) == ["baseline", "worse"]
    assert verdicts(BASE, same) == ["baseline", "not distinguishable"]
    assert verdicts(better, BASE) == ["baseline", "worse"]


def test_a_run_does_not_differ_from_itself():
    row = compare([BASE, BASE]).rows[1]
    assert (row.p, row.difference, row.verdict) == (1.0, 0.0, "not distinguishable")


def test_pairs_tell_apart_what_separate_intervals_cannot():
    slightly = run("s", range(9, 100))  # 0.9 points better, and never worse
    rows = compare([BASE, slightly]).rows
    assert rows[0].interval[1] > rows[1].interval[0]
    assert rows[1].verdict == "better"


def test_several_comparisons_are_corrected_for_their_number():
    weak = run("weak", range(6, 100))  # 6 against 0: p = 0.031
    assert verdicts(BASE, weak)[1] == "better"
    rows = compare([BASE, weak, run("other", range(101))]).rows
    assert rows[1].p == pytest.approx(0.03125)
    assert rows[1].p_holm == pytest.approx(0.0625)
    assert rows[1].verdict == "not distinguishable"


def test_a_run_that_cannot_be_compared_does_not_count_as_a_comparison():
    weak, foreign = run("weak", range(6, 100)), run("foreign", range(101), digest="e" * 64)
    assert verdicts(BASE, weak, foreign) == ["baseline", "better", "not comparable: different test data"]


def test_other_test_data_is_never_paired():
    other_labels = (np.arange(N) + 1) % 2
    for other in (
        run("o", (), digest="e" * 64),
        run("o", (), labels=other_labels),
        run("o", (), labels=np.arange(9) % 2),
    ):
        row = compare([BASE, other]).rows[1]
        assert row.verdict == "not comparable: different test data"
        assert (row.p, row.difference, row.difference_interval, row.n01) == (None, None, None, None)
        assert (row.accuracy, row.interval) == (1.0, wilson(row.n, row.n))


def test_other_classes_are_never_paired():
    assert verdicts(BASE, run("o", (), classes=("cat", "dog")))[1] == "not comparable: different classes"


def test_empty_test_splits_are_compared_without_a_crash():
    empty = [Compared(name, "d", np.empty(0, int), np.empty(0, int), CLASSES) for name in "ab"]
    comparison = compare(empty)
    assert [row.verdict for row in comparison.rows] == ["baseline", "not comparable: no test examples"]
    assert "| – | – |" in comparison.to_markdown()


def test_the_table_has_a_line_per_run_and_explains_itself():
    text = compare([BASE, run("e/x|y", range(60, 130)), run("e/far", (), digest="e" * 64)]).to_markdown()
    head, rule, *lines = text.splitlines()
    assert head == (
        "| run | test data | n | accuracy | 95 % interval | difference | 95 % interval | McNemar p | verdict |"
    )
    assert rule.count("---") == 9
    assert lines[0] == "| e/base | dddddddddddd | 1,000 | 90.00 % | 87.98 % to 91.71 % | – | – | – | baseline |"
    assert lines[1].startswith("| e/x\\|y | dddddddddddd | 1,000 | 93.00 % | 91.25 % to 94.42 % | +3.00 | +1.1")
    assert lines[1].endswith("| 0.0021 | better |")
    assert lines[2].endswith("| – | – | – | not comparable: different test data |")
    assert "exact two-sided test at 0.05." in lines[-1]


def test_the_table_says_when_it_corrected_for_several_comparisons():
    text = compare([BASE, run("a", range(7, 100)), run("b", range(101))]).to_markdown()
    assert text.splitlines()[-1].endswith("corrected for 2 comparisons (Holm).")
    assert "| 0.031 | better |" in text  # 7 against 0: p = 0.0156, times 2


def test_a_p_value_below_what_floats_can_hold_is_not_printed_as_zero():
    labels = np.zeros(4000, int)
    all_wrong, all_right = (Compared("r", "d", labels, labels + shift, CLASSES) for shift in (1, 0))
    assert "< 1e-300" in compare([all_wrong, all_right]).to_markdown()


def test_the_comparison_is_strict_json():
    value = compare([BASE, run("o", range(60, 130)), run("far", (), digest="e" * 64)]).to_json()
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert (value["baseline"], value["alpha"], len(value["runs"])) == ("e/base", 0.05, 3)


def test_nothing_and_unpaired_answers_are_refused():
    with pytest.raises(ValueError, match="nothing to compare"):
        compare([])
    with pytest.raises(ValueError, match="no pairs"):
        Compared("x", "d", np.zeros(3, int), np.zeros(2, int), CLASSES)


def test_chance_alone_is_called_a_difference_at_most_one_time_in_twenty():
    generator = np.random.default_rng(5)
    labels, called = np.zeros(300, int), 0
    for _ in range(400):
        pair = [Compared("r", "d", labels, (generator.random(300) < 0.1).astype(int), CLASSES) for _ in range(2)]
        called += compare(pair).rows[1].verdict != "not distinguishable"
    assert called / 400 <= 0.07
