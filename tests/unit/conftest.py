"""Run folders with a record as a training writes it, and one finished run that tests only read."""

import dataclasses

import numpy as np
import pytest

from image_classifier import files, runs
from image_classifier.evaluation.metrics import Predictions, run_metrics
from image_classifier.settings.composition import compose

DIGEST = "0" * 64
CONFIG = dataclasses.asdict(compose([], "cnn").config)


def record(status):
    finished = {
        "best_epoch": 1,
        "files": {name: {"sha256": DIGEST, "bytes": 1} for name in ("model.pth", *runs.RESULTS)},
        "timing": {"started": "", "finished": "", "training_seconds": 1.5, "last_process_seconds": 2},
    }
    return {
        "status": status,
        "config": CONFIG,
        "origins": {"model": {"kind": "data", "name": "the data"}},
        "dataset_folder": "d",
        "card": {
            "settings": {"model": "cnn"},
            "classes": ["a", "b"],
            "input": {"shape": [8, 8, 1], "mean": [0.5], "std": [0.25]},
            "dataset_digest": DIGEST,
            "runtime": {"device": "cpu", "precision": "fp32", "num_threads": 1, "capability": "x", "world_size": 1},
            "versions": {},
            "parent_sha256": None,
        },
        "provenance": {"commit": None, "dirty": None, "image_digest": None},
        "resumed": [],
        "timing": {"started": ""},
        "tags": {},
        **(finished if status == runs.FINISHED else {}),
    }


@pytest.fixture(scope="session")
def made():
    """made(folder, status, **parts) is a run whose record has these parts in place of the usual ones."""

    def make(folder, status=runs.FINISHED, **parts):
        files.write_json(folder / runs.RECORD, record(status) | parts)
        return runs.read(folder)

    return make


@pytest.fixture
def answers():
    """The content of a `predictions.npz`: three test examples and two of validation, of two classes."""
    shares = np.array([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]], np.float32)
    labels = np.array([0, 1, 1])
    held = {"val_labels": labels[:2], "val_probabilities": shares[:2], "val_rows": np.array([5, 9])}
    return {"test_labels": labels, "test_probabilities": shares, **held}


@pytest.fixture
def report(answers):
    """The content of the `metrics.json` that belongs to it."""
    splits = [Predictions(answers[f"{name}_labels"], answers[f"{name}_probabilities"]) for name in ("test", "val")]
    return run_metrics(*splits, 1, ("a", "b"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The finished run e/r under `experiments`, `dense` on wine after one epoch; tests only read it."""
    from image_classifier import train

    folder = tmp_path_factory.mktemp("trained")
    where = {"experiments_folder": folder / "experiments", "cache_folder": folder / "cache"}
    settings = {"model": "dense", "num_epochs": 1, "num_threads": "1", "precision": "fp32", "seed": 3}
    return train(dataset_folder="wine", experiment_name="e", run_name="r", **where, **settings)


@pytest.fixture(scope="session")
def cache(trained):
    """The folder with the prepared store of the data that `trained` learned from."""
    return trained.folder.parents[2] / "cache"
