"""From answers to figures and words."""

import numpy as np
import pytest

from image_classifier import files
from image_classifier.data.preparing import prepare
from image_classifier.runs import formats
from image_classifier.training import results
from image_classifier.training.examples import select
from image_classifier.training.trained import runtime_of

pytestmark = pytest.mark.unit


def test_the_answers_of_a_finished_run_are_given_again(trained, cache):
    store = prepare("wine", cache_folder=cache, quiet=True, image_size=None, split_seed=0)
    answers = results.predict(trained.model(), store, select(store, trained.config), runtime_of(trained))
    kept = trained.predictions()
    assert answers.keys() == kept.keys()
    assert all(np.array_equal(answers[name], kept[name]) for name in kept)
    assert np.array_equal(kept["test_labels"], store.splits["test"].labels)
    assert np.array_equal(kept["val_labels"], store.splits["train"].labels[kept["val_rows"]])


def test_figures_and_pictures_are_made_of_the_files_alone(made, tmp_path, answers, report):
    run = made(tmp_path / "e" / "r")
    results.write_predictions(run, answers)
    row = {"epoch": 1, "loss": 1.0, "acc": 0.5, "val_loss": 1.0, "val_acc": 0.5, "lr": 0.1, "seconds": 1.0}
    files.write_text(run.path("training_history.csv"), formats.history_csv([row]))
    results.write_metrics_and_pictures(run, 1)
    assert run.metrics() == report
    assert {path.name for path in run.folder.iterdir()} >= set(results.RESULT_FILES)
    assert run.path("metrics.png").read_bytes().startswith(b"\x89PNG")


def test_a_split_without_examples_has_no_answers(answers):
    assert results.predictions_of(answers, "test").labels.tolist() == [0, 1, 1]
    none = answers | {"val_labels": np.empty(0, int), "val_probabilities": np.empty((0, 2), np.float32)}
    assert results.predictions_of(none, "val") is None


def test_a_run_is_told_in_its_own_figures(trained):
    figures = trained.metrics()
    right = int((trained.predictions()["test_probabilities"].argmax(1) == trained.predictions()["test_labels"]).sum())
    lines = results.summary(trained).splitlines()
    assert lines[0] == "test        27 rows"
    low, high = figures["accuracy_ci95"]
    assert lines[1] == f"accuracy    {right / 27:.4f} (95 % interval {low:.4f} to {high:.4f})"
    assert lines[3].startswith(f"validation  accuracy {figures['val']['accuracy']:.4f} (95 %")
    assert lines[3].endswith("best epoch 1 of 1")
    nothing = "none: no group of 50 or more has anything in common"
    assert lines[4] == f"error sets  {nothing}"
    assert lines[5:] == [f"results     {trained.folder}"]
