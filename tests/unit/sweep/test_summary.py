"""What a person reads of a sweep says what its runs' figures say, whatever they are called."""

import itertools

import pytest

from image_classifier.sweep import summary as sweep_summary
from image_classifier.sweep.ranking import Scored
from image_classifier.sweep.summary import Failed, Results

pytestmark = pytest.mark.unit


def scored(name, values, validation, test=0.5):
    val = None if validation is None else {"accuracy": validation, "loss": 1, "n": 20, "accuracy_ci95": [0.25, 0.875]}
    return Scored(name, values, {"accuracy": test, "n": 1234, "accuracy_ci95": [0.5, 0.75], "val": val})


def results(axes, shares, failed=()):
    combinations = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    runs = [
        scored("--".join(map(str, values.values())), values, share)
        for values, share in zip(combinations, shares, strict=False)
    ]
    return Results("pets", axes, runs, failed)


def rows(text, title):
    lines = text[text.index(f"### {title}") :].split("\n\n")[1].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_best_run_is_said_in_words_and_stands_first():
    text = sweep_summary.markdown(results({"model": ["cnn", "net"], "momentum": [0.5]}, [0.7, 0.8]))
    assert "2 of 2 runs are finished. Best by validation\\: model net, momentum 0.5 \\(net--0.5\\)" in text
    assert "right on 80.0 % of 20 validation examples and 50.0 % of 1,234 test examples." in text
    assert rows(text, "Runs, best first") == [
        ["net--0.5", "net", "0.5", "80.0 %", "25.0 % to 87.5 %", "50.0 %", "50.0 % to 75.0 %"],
        ["cnn--0.5", "cnn", "0.5", "70.0 %", "25.0 % to 87.5 %", "50.0 %", "50.0 % to 75.0 %"],
    ]
    assert "Settings, best first" not in text
    assert "Wilson" in text


def test_repeats_are_told_as_their_mean_with_an_interval_and_what_it_covers():
    given = results({"model": ["cnn", "net"], "split_seed": [0, 1]}, [0.6, 0.7, 0.9, 0.92])
    text = sweep_summary.markdown(given)
    # t(0.975, 1) = 12.7062 (tables), standard deviation 0.02 / sqrt 2
    assert rows(text, "Settings, best first")[0][:4] == ["net", "2", "91.0 %", "78.3 % to 100.0 %"]
    assert "91.0 % \\(95 % interval 78.3 % to 100.0 %\\) of the validation examples" in text
    assert "covers the luck of the split. Splits share most of their examples" in text
    assert len(rows(text, "Runs, best first")) == 4


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"seed": [0, 1]}, "luck of initialisation, order and augmentation, on the same examples"),
        ({"seed": [0, 1], "split_seed": [0, 1]}, "luck of the split, over each of which the seeds are averaged"),
    ],
)
def test_what_the_interval_covers_depends_on_the_seeds(axes, words):
    text = sweep_summary.markdown(results(axes, [0.5, 0.6, 0.7, 0.8]))
    assert words in text
    assert "the one setting there is" in text


def test_failures_are_told_and_hold_no_markup():
    failure = Failed("a--1", "loss became nan | <img src=x>\n# head", "lower `learning_rate` @everyone")
    text = sweep_summary.markdown(results({"model": ["a", "b"]}, [0.5], [failure]))
    assert "1 of 2 runs are finished." in text
    ((name, why, what),) = rows(text, "Failed")
    assert name == "a--1"
    assert why == "loss became nan \\| &lt;img src=x&gt; \\# head"
    assert what == "lower \\`learning\\_rate\\` \\@everyone"


def test_a_sweep_of_which_nothing_is_finished_has_no_table():
    text = sweep_summary.markdown(results({"model": ["a"]}, [], [Failed("a", "x", "y")]))
    assert "0 of 1 runs are finished." in text
    assert "best" not in text.lower()


def test_without_validation_no_run_is_called_the_best():
    text = sweep_summary.markdown(results({"model": ["a", "b"]}, [None, None]))
    assert "Nothing was validated, so none is called the best." in text
    assert rows(text, "Runs, best first")[0][2:4] == ["–", "–"]
    assert "test decides nothing" not in text


def test_words_of_a_setting_are_shown_and_never_markup():
    text = sweep_summary.markdown(results({"drop_columns": ["*a*|b", None, True]}, [0.5, 0.4, 0.3]))
    assert [row[1] for row in rows(text, "Runs, best first")] == ["\\*a\\*\\|b", "null", "true"]
