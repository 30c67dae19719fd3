"""What a person reads of a run says what its figures say, whatever the classes are called."""

import numpy as np
import pytest

from image_classifier.evaluation import summary
from image_classifier.evaluation.comparison import Compared, compare
from image_classifier.evaluation.metrics import Predictions, run_metrics

pytestmark = pytest.mark.unit

LABELS = np.repeat([0, 1, 2], [10, 10, 20])


def predictions(wrong=()):
    """Answers that are right but for `wrong`: {example: class}."""
    shares = np.full((len(LABELS), 3), 0.1, np.float32)
    answers = LABELS.copy()
    for example, answer in dict(wrong).items():
        answers[example] = answer
    shares[np.arange(len(LABELS)), answers] = 0.8
    return Predictions(LABELS, shares)


def told(test, *, classes=("cat", "dog", "emu"), val=None, **more):
    metrics = run_metrics(test, val, 4 if val else None, classes)
    return summary.markdown(summary.Summarised("pets/first", metrics, test, {"model": "cnn"}, {}, **more))


def cells(text, first):
    """The cells of the table line that begins with `first`."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_headline_and_the_table_have_accuracy_and_interval():
    text = told(predictions({0: 1, 1: 1, 2: 2, 20: 0}), val=predictions({5: 2}))
    # Wilson at 36 of 40: 76.948 % to 96.04 %; at 39 of 40: 87.12 % to 99.56 % (by the formula, by hand)
    assert "**90.0 %** of 40 test examples are classified right (95 % interval 76.9 % to 96.0 %)." in text
    assert cells(text, "accuracy")[1:] == ["90.0 % (76.9 % to 96.0 %)", "97.5 % (87.1 % to 99.6 %)"]
    assert cells(text, "best epoch")[2] == "4"


def test_the_worst_class_comes_first_with_what_it_is_taken_for():
    text = told(predictions({0: 1, 1: 1, 2: 2, 20: 0}))
    assert cells(text, "cat")[1:3] == ["10", "70.0 %"]
    assert cells(text, "cat")[4] == "dog (2)"
    assert cells(text, "emu")[4] == "cat (1)"
    assert text.index("| cat |") < text.index("| emu |")
    assert "| dog |" not in text, "a class without an error is not among the worst"


def test_a_run_without_errors_or_validation_says_so():
    text = told(predictions())
    assert "None: all 3 classes are without an error." in text
    assert cells(text, "accuracy")[2] == "–"
    assert "best epoch" not in text


def test_a_class_without_test_examples_is_not_called_bad():
    labels = np.array([0, 0, 1])
    shares = np.eye(3, dtype=np.float32)[[0, 1, 1]]
    text = told(Predictions(labels, shares))
    assert "| emu |" not in text
    assert cells(text, "cat")[2] == "50.0 %"


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        ({}, "**Better** than its parent"),
        (dict.fromkeys(range(5, 40), 0), "**Worse** than its parent"),
        (dict.fromkeys(range(9), 1), "Not distinguishable from its parent"),
    ],
)
def test_the_comparison_is_said_in_words_before_the_table(wrong, verdict):
    base, child = predictions(dict.fromkeys(range(10), 1)), predictions(wrong)
    classes = ("cat", "dog", "emu")
    runs = [Compared(name, "d" * 64, LABELS, each.predicted, classes) for name, each in (("p/q", base), ("r/s", child))]
    text = told(child, against=compare(runs))
    assert f"{verdict} p/q" in text
    assert text.index(verdict) < text.index("McNemar p")


@pytest.mark.parametrize(
    "hostile", ["a | b", "<img src=x>", "[x](http://y)", "`code`\n# head", "**bold**", "&amp;", "@everyone", "a\\|b"]
)
def test_a_class_s_name_is_shown_as_it_is_and_never_as_markup(hostile):
    text = told(predictions({0: 1}), classes=(hostile, "dog", "emu"))
    line = next(line for line in text.splitlines() if "70.0 %" in line or ("90.0 %" in line and line.startswith("|")))
    name = line.split(" | 10 | ")[0].removeprefix("| ")
    assert "<" not in name
    assert "\n" not in name
    bare = name.replace("\\\\", "")
    for mark in "|[]`*@":
        assert bare.count(mark) == bare.count(f"\\{mark}"), f"{mark} in {name} would be read as markup"


@pytest.fixture
def sets():
    """What `error_sets.json` holds of seven sets, as far as the summary reads it."""
    one = {
        "n": 90, "errors": 26, "error_rate": 26 / 90, "error_rate_ci95": [0.206, 0.39], "share_of_errors": 0.5,
        "wrong_class": "<b>dog</b>", "wrong_class_n": 20,
    }  # fmt: skip
    rows = [
        {**one, "itemsets_desc": f"class cat, {number} | dark", "confirmed": number % 2 == 0} for number in range(7)
    ]
    return {"errors": 52, "nb_freq_sets": 7, "nb_tested": 100, "least_examples": 50, "sets": rows}


def test_five_error_sets_stand_in_the_summary_with_the_number_of_the_others(sets):
    text = told(predictions({0: 1}), error_sets=sets)
    rows = [line for line in text.splitlines() if "26 of 90" in line]
    assert len(rows) == 5
    assert "28.9 % | 20.6 % to 39.0 %" in rows[0]
    assert ("| confirmed |" in rows[0], "| not confirmed |" in rows[1]) == (True, True)
    assert "2 more stand in error_sets.csv. error_sets.png shows examples of them." in text
    assert "<b>" not in text
    assert "0 | dark" not in text, "a bar of the data would end the cell"


def test_where_no_error_set_was_found_the_summary_says_so(sets):
    text = told(predictions({0: 1}), error_sets=sets | {"sets": [], "nb_freq_sets": 0})
    assert "None: no group is wrong more often than chance allows (100 groups of 50 or more looked at)." in text


def test_a_run_of_an_earlier_version_says_nothing_of_error_sets():
    assert "error sets" not in told(predictions({0: 1}))
