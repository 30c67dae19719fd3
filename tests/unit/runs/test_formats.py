"""The files of a run's results: what is written comes back, and what nothing could be computed on is refused."""

import csv
import io
import json

import numpy as np
import pytest

from image_classifier import files
from image_classifier.errors import UserError
from image_classifier.runs import formats

pytestmark = pytest.mark.unit

FIRST = ("support", "itemsets", "pattern_length", "itemsets_desc")
SET = {
    "support": 0.1 + 0.2, "itemsets": ["class=a, b", 'brightness="1/4"'], "pattern_length": 2,
    "itemsets_desc": "class a, very dark", "n": 60, "errors": 40, "error_rate": 2 / 3, "error_rate_ci95": [0.5, 0.75],
    "share_of_errors": 0.5, "wrong_class": "b", "wrong_class_n": 40, "p_value": 1e-300, "held_out_n": 30,
    "held_out_errors": 20, "held_out_error_rate": 2 / 3, "held_out_ci95": [0.25, 1.0], "held_out_p_value": 0.04,
    "confirmed": True, "examples": [3, 1], "example_names": ["a/猫.png", "a,b.png"],
}  # fmt: skip
HELD_OUT = ("held_out_n", "held_out_errors", "held_out_error_rate", "held_out_ci95", "held_out_p_value")
UNHELD = SET | dict.fromkeys(HELD_OUT) | {"confirmed": False, "example_names": None, "examples": []}
MINED = {
    "split": "test", "n": 200, "errors": 80, "error_rate": 0.4, "error_rate_ci95": [0.3, 0.5], "least_examples": 50,
    "longest": 3, "nb_tested": 90, "nb_freq_sets": 2, "max_support_value": 0.3, "false_discovery_rate": 0.05,
    "edges": {"brightness": [1.5, 2.5]}, "sets": [SET, UNHELD],
}  # fmt: skip
HEAD = ",".join(formats.HISTORY_COLUMNS)


@pytest.fixture
def run(made, tmp_path):
    return made(tmp_path / "e" / "r")


def test_equal_arrays_are_equal_bytes_and_come_back(run, answers):
    data = formats.npz(answers)
    assert data == formats.npz(dict(reversed(answers.items())))
    files.write_bytes(run.path("predictions.npz"), data)
    back = run.predictions()
    assert all((back[name] == value).all() and back[name].dtype == value.dtype for name, value in answers.items())


def test_a_run_without_validation_has_predictions(run, answers):
    none = {"val_labels": np.empty(0, np.int64), "val_rows": np.empty(0, np.int64)}
    arrays = answers | none | {"val_probabilities": np.empty((0, 2), np.float32)}
    files.write_bytes(run.path("predictions.npz"), formats.npz(arrays))
    assert len(run.predictions()["val_labels"]) == 0


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("test_labels", np.array([0, 1])),
        ("test_labels", np.array([0, 1, 2])),
        ("test_labels", np.array([0, -1, 1])),
        ("test_labels", np.array([0.0, 1.0, 1.0])),
        ("test_labels", np.array(["a", "b", "b"])),
        ("test_labels", np.array(0)),
        ("test_probabilities", np.full((3, 2), np.nan, np.float32)),
        ("test_probabilities", np.full((3, 3), 1 / 3, np.float32)),
        ("val_probabilities", np.array([[0.5, 0.6], [0.5, 0.5]], np.float32)),
        ("val_rows", np.array([1])),
        ("val_rows", np.array([-1, 2])),
        ("test_labels", np.array([{}], dtype=object)),
    ],
)
def test_predictions_that_no_network_gives_are_refused(run, name, array, answers):
    with run.path("predictions.npz").open("wb") as stream:
        np.savez(stream, **answers | {name: array})
    with pytest.raises(UserError, match=r"predictions\.npz") as caught:
        run.predictions()
    assert "evaluate" in caught.value.hint


def test_predictions_without_a_test_example_are_refused(run, answers):
    none = {"test_labels": np.empty(0, np.int64), "test_probabilities": np.empty((0, 2), np.float32)}
    files.write_bytes(run.path("predictions.npz"), formats.npz(answers | none))
    with pytest.raises(UserError, match="no test examples"):
        run.predictions()


def test_the_history_survives_the_file_in_full_precision(run):
    row = {"epoch": 1, "loss": 1 / 3, "acc": 0.1 + 0.2, "val_loss": None, "val_acc": None, "lr": 1e-7, "seconds": 2.5}
    run.path("training_history.csv").write_text(formats.history_csv([row]))
    assert run.history() == [row]


@pytest.mark.parametrize(
    "text",
    ["", "epoch\n1\n", f"{HEAD}\n1,nan,0.5,,,0.1,1\n", f"{HEAD}\n1,1,2,,,0.1,1\n", f"{HEAD}\n2,1,0.5,,,0.1,1\n",
     f"{HEAD}\n1,1,0.5,,,0.1\n", f"{HEAD}\n1,1,0.5,,,0.1,1,1\n", f"{HEAD}\n,1,0.5,,,0.1,1\n",
     f"{HEAD}\n1,x,0.5,,,0.1,1\n",
     f"{HEAD}\n1,{'9' * 400},0.5,,,0.1,1\n", f'{HEAD}\n"1,1,0.5,,,0.1,1\n'],
)  # fmt: skip
def test_a_history_that_no_training_writes_is_refused(run, text):
    run.path("training_history.csv").write_text(text)
    with pytest.raises(UserError, match=r"training_history\.csv"):
        run.history()


def test_what_evaluation_measures_is_what_the_file_may_hold(run, report):
    files.write_json(run.path("metrics.json"), report)
    assert run.metrics() == report
    with_an_empty_class = {"n": 0} | dict.fromkeys(("accuracy", "ci95", "precision", "recall", "f1"))
    files.write_json(
        run.path("metrics.json"), report | {"per_class": {"a": with_an_empty_class, "b": with_an_empty_class}}
    )
    assert run.metrics()["per_class"]["a"]["n"] == 0


@pytest.mark.parametrize(
    "change",
    [{"accuracy": None}, {"accuracy": 1.5}, {"accuracy_ci95": [0.5]}, {"n": 0}, {"n": True}, {"loss": "1"}, {"val": []},
     {"val": {"n": 1}}, {"per_class": {}}, {"per_class": {"b": {}, "a": {}}}, {"ece": 10**400}],
)  # fmt: skip
def test_figures_that_nothing_measures_are_refused(run, change, report):
    run.path("metrics.json").write_text(json.dumps(report | change))
    with pytest.raises(UserError, match=r"metrics\.json"):
        run.metrics()


@pytest.mark.parametrize("text", ["", "[]", "null", "{}"])
def test_a_file_without_figures_is_refused(run, text):
    run.path("metrics.json").write_text(text)
    with pytest.raises(UserError, match=r"metrics\.json"):
        run.metrics()


@pytest.fixture
def mined(made, tmp_path):
    """A run that lists `error_sets.json` among its files, and the path of that file."""
    digest = {"sha256": "0" * 64, "bytes": 1}
    listed = made(tmp_path / "usual").record["files"]
    run = made(tmp_path / "e" / "r", files=listed | {"error_sets.json": digest})
    files.write_json(run.path("error_sets.json"), MINED)
    return run, run.path("error_sets.json")


def test_error_sets_come_back_as_they_were_written(mined):
    assert mined[0].error_sets() == MINED


def test_a_run_of_an_earlier_version_has_no_error_sets_and_is_read(run):
    assert run.finished
    assert run.error_sets() is None


@pytest.mark.parametrize(
    "change",
    [{"n": 0}, {"n": True}, {"split": "val"}, {"errors": -1}, {"error_rate": 1.5}, {"error_rate_ci95": None},
     {"edges": {"a": ["x"]}}, {"edges": []}, {"sets": {}}, {"sets": [{}]}, {"sets": None}, {"longest": "3"},
     {"sets": [SET | {"itemsets": "class=a"}]}, {"sets": [SET | {"confirmed": 1}]}, {"sets": [SET | {"errors": 0}]},
     {"sets": [SET | {"examples": [-1]}]}, {"sets": [SET | {"held_out_ci95": [0.5]}]},
     {"sets": [SET | {"p_value": float("inf")}]}, {"sets": [{**SET, "itemsets_desc": None}]}],
    ids=str,
)  # fmt: skip
def test_error_sets_that_nothing_mines_are_refused(mined, change):
    run, path = mined
    path.write_text(json.dumps(MINED | change))
    with pytest.raises(UserError, match=r"error_sets\.json") as caught:
        run.error_sets()
    assert caught.value.hint == f"image_classifier mine {run.folder} writes it again"


@pytest.mark.parametrize("lost", [*MINED, None])
def test_a_file_that_lacks_a_part_or_is_gone_is_refused(mined, lost):
    run, path = mined
    if lost:
        path.write_text(json.dumps({name: value for name, value in MINED.items() if name != lost}))
    else:
        path.unlink()
    with pytest.raises(UserError, match=r"error_sets\.json"):
        run.error_sets()


def test_the_table_of_the_error_sets_has_a_row_for_each_with_all_that_is_known():
    text = formats.error_sets_csv(MINED)
    columns = next(csv.reader(io.StringIO(text)))
    assert tuple(columns[:4]) == FIRST
    one, other = csv.DictReader(io.StringIO(text))
    intervals = ("error_rate_ci95", "held_out_ci95")
    parts = {f"{name}_{end}": SET[name][index] for name in intervals for index, end in enumerate(("low", "high"))}
    flat = {name: value for name, value in SET.items() if name not in intervals} | parts
    assert set(columns) == set(flat)
    for name, value in flat.items():
        cell = one[name]
        if isinstance(value, list):
            assert json.loads(cell) == value
        elif isinstance(value, bool):
            assert cell == str(value).lower()
        else:
            assert type(value)(cell) == value, name
    empty = {name for name, cell in other.items() if cell == ""}
    assert empty == {*HELD_OUT, "held_out_ci95_low", "held_out_ci95_high", "example_names"} - {"held_out_ci95"}
    assert other["confirmed"] == "false"
    assert "猫" in text


def test_without_error_sets_the_table_is_its_columns():
    assert formats.error_sets_csv(MINED | {"sets": []}).splitlines() == formats.error_sets_csv(MINED).splitlines()[:1]
