"""The files of a run's results: what is written comes back, and what nothing could be computed on is refused."""

import json

import numpy as np
import pytest

from image_classifier import files
from image_classifier.errors import UserError
from image_classifier.runs import formats

pytestmark = pytest.mark.unit

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
