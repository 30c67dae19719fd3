"""Error sets: what is planted is found, chance is not, and each figure is the one that counting gives."""

import numpy as np
import pytest
from scipy import stats

from image_classifier import randomness
from image_classifier.evaluation.error_sets import headline, lines, mined
from image_classifier.evaluation.items import Choice, Item, Items, itemised
from image_classifier.evaluation.metrics import Predictions

pytestmark = pytest.mark.unit

CLASSES = [str(number) for number in range(10)]


def answers(labels, predicted, classes=10):
    """Predictions of these classes, surer the later the example stands."""
    shares = np.full((len(labels), classes), 0.0, np.float32)
    sure = np.linspace(0.6, 0.99, len(labels), dtype=np.float32)
    shares[np.arange(len(labels)), predicted] = sure
    shares[np.arange(len(labels)), (np.asarray(predicted) + 1) % classes] += 1 - sure
    return Predictions(np.asarray(labels), shares)


def choices(random, count, sizes=(10, 4, 4, 4, 3, 2)):
    """Items of some independent choices; the first is the class."""
    drawn = [random.integers(0, size, count) for size in sizes]
    names = ["class", *"abcdefgh"[: len(sizes) - 1]]
    parts = [
        Choice(name, values, [str(n) for n in range(size)], [f"{name} {n}" for n in range(size)])
        for name, values, size in zip(names, drawn, sizes, strict=True)
    ]
    return itemised(parts, count), drawn


def wronged(labels, wrong):
    """Predictions that are wrong just there, always by the next class."""
    return answers(labels, np.where(wrong, (labels + 1) % 10, labels))


def planted(seed, count=10_000, slices=1):
    """Examples of which 6 % are wrong, and 26 % of those that have two certain items, about 246 of them."""
    random = np.random.default_rng(seed)
    items, drawn = choices(random, count)
    inside = [(drawn[0] == 3) & (drawn[1] == 2), (drawn[0] == 7) & (drawn[4] == 1)][:slices]
    wrong = random.random(count) < np.where(np.any(inside, axis=0), 0.26, 0.06)
    return items, wronged(drawn[0], wrong), inside


def hand_made(marks, wrong, **more):
    """What is mined where the items are these marks, named a, b, c, …"""
    items = Items([Item(name, f"is {name}") for name in "abcdefgh"[: len(marks)]], np.array(marks), {"x": [1.0]})
    return mined(items, wronged(np.zeros(len(wrong), np.int64), wrong, **more), CLASSES)


def told(report):
    return [tuple(each["itemsets"]) for each in report["sets"]]


def test_a_planted_slice_is_first_and_confirmed_in_each_of_eight_trials():
    for seed in range(8):
        items, test, inside = planted(seed)
        first = mined(items, test, CLASSES)["sets"][0]
        assert first["itemsets"] == ["class=3", "a=2"], seed
        assert first["confirmed"], seed
        assert first["n"] == inside[0].sum()


def test_errors_that_are_dealt_at_random_give_no_set_in_at_least_95_of_100_trials():
    random = np.random.default_rng(12)
    empty = 0
    for _ in range(100):
        items, drawn = choices(random, 2000, (10, 4, 3, 2))
        wrong = random.permutation(np.arange(2000) < 300)
        report = mined(items, wronged(drawn[0], wrong), CLASSES)
        assert report["nb_tested"] > 100
        empty += not report["sets"]
    assert empty >= 95


def test_two_planted_slices_are_both_found():
    for seed in range(3):
        items, test, _ = planted(seed, slices=2)
        found = mined(items, test, CLASSES)["sets"][:2]
        assert {tuple(each["itemsets"]) for each in found} == {("class=3", "a=2"), ("class=7", "d=1")}


def test_the_figures_of_a_set_are_those_of_counting():
    items, test, (inside,) = planted(0)
    report = mined(items, test, CLASSES)
    wrong = test.predicted != test.labels
    n, errors = int(inside.sum()), int((inside & wrong).sum())
    interval = stats.binomtest(errors, n).proportion_ci(0.95, "wilson")
    first = report["sets"][0]
    assert {name: first[name] for name in ("n", "errors", "error_rate", "support", "share_of_errors")} == {
        "n": n, "errors": errors, "error_rate": errors / n, "support": n / 10_000,
        "share_of_errors": errors / wrong.sum(),
    }  # fmt: skip
    assert first["error_rate_ci95"] == pytest.approx(tuple(interval), rel=1e-9)
    assert first["p_value"] == pytest.approx(stats.hypergeom.sf(errors - 1, 10_000, wrong.sum(), n), rel=1e-7)
    assert (first["pattern_length"], first["itemsets_desc"]) == (2, "class 3, a 2")
    assert (first["wrong_class"], first["wrong_class_n"]) == ("4", errors)
    # The surest wrong answers are those that stand last.
    assert first["examples"] == np.flatnonzero(inside & wrong)[::-1][:20].tolist()
    whole = stats.binomtest(int(wrong.sum()), 10_000).proportion_ci(0.95, "wilson")
    assert (report["n"], report["errors"], report["error_rate"]) == (10_000, wrong.sum(), wrong.mean())
    assert report["error_rate_ci95"] == pytest.approx(tuple(whole), rel=1e-9)
    assert (report["nb_freq_sets"], report["max_support_value"]) == (
        len(report["sets"]), max(each["support"] for each in report["sets"]),
    )  # fmt: skip
    assert (report["least_examples"], report["longest"], report["false_discovery_rate"]) == (50, 3, 0.05)


def test_the_held_out_figures_are_those_of_the_half_that_did_not_find_the_set():
    items, test, (inside,) = planted(1)
    first = mined(items, test, CLASSES)["sets"][0]
    wrong = test.predicted != test.labels
    half = np.zeros(10_000, bool)
    half[randomness.order(randomness.key(0, "error sets"), 10_000)[:5000]] = True
    by_half = [(int((inside & part).sum()), int((inside & part & wrong).sum())) for part in (half, ~half)]
    held = (first["held_out_n"], first["held_out_errors"])
    assert held in by_half
    other = ~half if held == by_half[1] else half
    alone = stats.hypergeom.sf(held[1] - 1, 5000, (wrong & other).sum(), held[0])
    # Holm: it is the least likely of all that are confirmed, or one of few.
    assert alone <= first["held_out_p_value"] * (1 + 1e-7)
    assert first["held_out_error_rate"] == held[1] / held[0]
    interval = stats.binomtest(held[1], held[0]).proportion_ci(0.95, "wilson")
    assert first["held_out_ci95"] == pytest.approx(tuple(interval), rel=1e-9)


def test_a_single_set_is_held_out_against_its_own_p_value():
    first_half = np.zeros(2000, bool)
    first_half[randomness.order(randomness.key(0, "error sets"), 2000)[:1000]] = True
    random = np.random.default_rng(5)
    inside = random.random(2000) < 0.2
    wrong = random.random(2000) < np.where(inside, 0.5, 0.1)
    (each,) = hand_made([inside], wrong)["sets"]
    n, errors = (inside & ~first_half).sum(), (inside & ~first_half & wrong).sum()
    assert (each["held_out_n"], each["held_out_errors"]) == (n, errors)
    truth = stats.hypergeom.sf(errors - 1, 1000, (wrong & ~first_half).sum(), n)
    assert each["held_out_p_value"] == pytest.approx(truth, rel=1e-7)
    assert each["confirmed"]


def test_a_set_that_fails_in_one_half_only_is_not_confirmed():
    half = np.zeros(2000, bool)
    half[randomness.order(randomness.key(0, "error sets"), 2000)[:1000]] = True
    random = np.random.default_rng(6)
    inside = random.random(2000) < 0.2
    wrong = random.random(2000) < np.where(inside & half, 0.5, 0.1)
    (each,) = hand_made([inside], wrong)["sets"]
    assert each["held_out_errors"] == (inside & ~half & wrong).sum()
    assert each["held_out_p_value"] > 0.05
    assert not each["confirmed"]


def test_a_set_that_neither_half_finds_has_no_held_out_figures():
    order = randomness.order(randomness.key(0, "error sets"), 2000)
    inside, wrong = np.zeros((2, 2000), bool)
    for half in (order[:1000], order[1000:]):
        inside[half[:50]] = wrong[half[:7]] = wrong[half[50:120]] = True
    (each,) = hand_made([inside], wrong)["sets"]
    assert 0.01 < each["p_value"] < 0.05
    held = ("held_out_n", "held_out_errors", "held_out_error_rate", "held_out_ci95", "held_out_p_value")
    assert [each[name] for name in held] == [None] * 5
    assert each["confirmed"] is False


def test_what_only_says_again_what_a_set_says_is_dropped_and_what_is_worse_is_kept():
    random = np.random.default_rng(2)
    a, b, c = random.random((3, 10_000)) < 0.2
    d = a & (random.random(10_000) < 0.9)  # overlaps a, and adds nothing
    plain = random.random(10_000) < np.where(a, 0.4, 0.05)
    assert told(hand_made([a, b, c, d], plain)) == [("a",)]
    worse = random.random(10_000) < np.where(a & b, 0.9, np.where(a, 0.3, 0.05))
    assert set(told(hand_made([a, b, c], worse))) == {("a",), ("a", "b")}


def test_an_item_that_all_examples_of_a_set_have_is_not_told_twice():
    random = np.random.default_rng(3)
    a = random.random(5000) < 0.1
    wrong = random.random(5000) < np.where(a, 0.5, 0.05)
    # The shorter of two sets with the same examples is told.
    assert told(hand_made([np.ones(5000, bool), a], wrong)) == [("b",)]


def test_the_order_of_the_items_changes_nothing_but_the_order_of_their_words():
    items, test, _ = planted(4, slices=2)
    order = np.random.default_rng(0).permutation(len(items.items))
    other = Items([items.items[index] for index in order], items.marks[order], items.edges)
    one, two = mined(items, test, CLASSES), mined(other, test, CLASSES)
    for report in (one, two):
        for each in report["sets"]:
            each["itemsets"] = sorted(each["itemsets"])
            each["itemsets_desc"] = sorted(each["itemsets_desc"].split(", "))
    assert len(one["sets"]) >= 2
    assert one == two


def test_equal_input_gives_equal_results():
    assert mined(*planted(5)[:2], CLASSES) == mined(*planted(5)[:2], CLASSES)


@pytest.mark.parametrize("wrong", [False, True])
def test_where_all_are_right_or_all_are_wrong_there_is_no_set(wrong):
    items, drawn = choices(np.random.default_rng(0), 500)
    report = mined(items, wronged(drawn[0], np.full(500, wrong)), CLASSES)
    assert (report["errors"], report["error_rate"], report["sets"]) == (500 * wrong, float(wrong), [])
    assert (report["nb_freq_sets"], report["max_support_value"]) == (0, 0.0)
    assert headline(report).startswith("none: no group" if wrong else "none, all test examples are right")
    assert lines(report) == []


@pytest.mark.parametrize("count", [1, 2, 49])
def test_of_fewer_than_50_examples_no_set_is_looked_at(count):
    items, drawn = choices(np.random.default_rng(0), count)
    report = mined(items, wronged(drawn[0], np.arange(count) % 2 == 0), CLASSES)
    assert (report["nb_tested"], report["sets"], report["least_examples"]) == (0, [], 50)
    assert headline(report) == "none: no group of 50 or more has anything in common"


def test_of_100_000_examples_a_set_has_500():
    marks = np.zeros((2, 100_000), bool)
    marks[0, :500] = marks[1, 1000:1499] = True
    report = hand_made(marks, np.arange(100_000) < 1499)
    assert report["least_examples"] == 500
    assert told(report) == [("a",)]


def test_a_thousand_classes_of_which_one_fails_are_mined():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(1000), 10)
    labels[labels < 10] = 7  # a hundred examples; of the others nobody has enough
    wrong = random.random(10_000) < np.where(labels == 7, 0.5, 0.1)
    names = [f"n{number}" for number in range(1000)]
    items = itemised([Choice("class", labels, names, names)], 10_000)
    report = mined(items, answers(labels, np.where(wrong, (labels + 1) % 1000, labels), 1000), names)
    assert told(report) == [("class=n7",)]
    assert report["sets"][0]["wrong_class"] == "n8"


def test_no_more_than_a_hundred_sets_are_told():
    labels = np.repeat(np.arange(190), 100)
    wrong = (np.arange(19_000) % 100 < 60) & (labels < 110)
    names = [f"n{number}" for number in range(190)]
    items = itemised([Choice("class", labels, names, names)], 19_000)
    report = mined(items, answers(labels, np.where(wrong, (labels + 1) % 190, labels), 190), names)
    assert report["nb_freq_sets"] == len(report["sets"]) == 100


def test_a_report_is_told_in_lines():
    items, test, (inside,) = planted(0)
    report = mined(items, test, CLASSES)
    errors, n = int((inside & (test.predicted != test.labels)).sum()), int(inside.sum())
    assert headline(report) == f"{len(report['sets'])}, first class 3, a 2: {errors} of {n} wrong"
    first = lines(report)[0]
    assert first.startswith(f"  1 {errors:5} of {n:5} wrong, {100 * errors / n:.1f} % (")
    assert first.endswith("confirmed: class 3, a 2")


def test_an_item_that_all_test_examples_have_changes_nothing():
    items, answered, _ = planted(1)
    everywhere = Items([*items.items, Item("all", "of all")], np.vstack([items.marks, np.ones((1, 10_000), bool)]), {})
    expected, found = (mined(each, answered, CLASSES) for each in (items, everywhere))
    assert found["nb_tested"] == expected["nb_tested"]
    assert found["sets"] == expected["sets"]
