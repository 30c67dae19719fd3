"""The pipelines of wine, breast_cancer and cifar, made small: what they leave, in folders and in MLflow."""

import csv
import json
import pickle
import statistics

import numpy as np
import pytest
import yaml
from sklearn.metrics import accuracy_score

from image_classifier.settings.composition import file_layer
from image_classifier.settings.layers import flag_layer
from image_classifier.training import results, train
from image_classifier.training.plan import plan

SEVEN = (
    "logistic_regression", "naive_bayes", "knn", "random_forest", "linear_svm", "gradient_boosting", "adaboost",
)  # fmt: skip
SPLITS = 20


# In a process of its own: what MLflow imports warns, and a warning is an error here.
ASKED = """
import json
from mlflow import MlflowClient
client = MlflowClient("sqlite:///artifacts/mlflow.db")
(number,) = [each.experiment_id for each in client.search_experiments() if each.name == "wine"]
found = client.search_runs([number])
print(json.dumps([[each.info.run_id, each.data.tags, each.data.params, each.data.metrics] for each in found]))
"""


def tracked(project):
    """The figures that MLflow has of a sweep's runs, by their classifier; all are under one parent."""
    found = json.loads(project.run("python", "-c", ASKED, where="examples/wine").stdout.splitlines()[-1])
    children = [each for each in found if "mlflow.parentRunId" in each[1]]
    (parent,) = [number for number, *_ in found if number not in [each[0] for each in children]]
    assert {tags["mlflow.parentRunId"] for _, tags, *_ in children} == {parent}
    return {params["classifier"]: metrics for *_, params, metrics in children}


@pytest.fixture(scope="module")
def wine(make_project):
    """The seven classifiers on one split, sent to MLflow's store in the example's folder."""
    project = make_project("wine")
    project.environment["MLFLOW_TRACKING_URI"] = None
    settings = project.folder / "examples/wine/config.yaml"
    settings.write_text(yaml.safe_dump(yaml.safe_load(settings.read_text()) | {"split_seed": [0]}))
    project.ran = project.repro("wine")
    return project


def test_the_seven_classifiers_are_nested_runs_with_their_validation(wine):
    children = tracked(wine)
    assert sorted(children) == sorted(SEVEN)
    for name, sent in children.items():
        folder = wine.folder / f"examples/wine/artifacts/wine/{name}--split_seed-0"
        metrics = json.loads((folder / "metrics.json").read_text())
        assert sent["validation_accuracy"] == metrics["val"]["accuracy"]
        assert sent["accuracy"] == metrics["accuracy"]
        assert (folder / "model.skops").is_file()


def test_a_sweep_is_summed_up_for_people_and_for_dvc(wine):
    ran, left, printed = wine.ran
    assert (ran, left) == (["sweep", "notify"], [])
    assert "7 of 7 runs are finished" in printed
    shown = json.loads(wine.dvc("metrics", "show", "--json", where="examples/wine"))[""]["data"]
    figures = shown["artifacts/wine/sweep_metrics.json"]["data"]
    assert sorted(figures) == sorted(f"{name}--split_seed-0" for name in SEVEN)
    folder = wine.folder / "examples/wine/artifacts"
    for name in ("sweep_settings.png", "sweep_parallel.png"):
        assert (folder / "wine" / name).read_bytes().startswith(b"\x89PNG")
    assert len(list((folder / "stores").glob("*/store.json"))) == 1, "one store for each split"


def test_what_mlflow_keeps_is_not_git_s(wine):
    changed = wine.run("git", "status", "--porcelain").stdout.split()
    assert changed == ["M", "examples/wine/config.yaml", "??", "examples/wine/dvc.lock"]


def test_a_second_run_of_a_sweep_only_tells(wine):
    assert wine.repro("wine")[:2] == (["notify"], ["sweep"])


def test_logistic_regression_is_right_on_95_of_100_wines_over_twenty_splits(repository, tmp_path):
    """The settings of the example; scikit-learn counts."""
    given = yaml.safe_load((repository / "examples/wine/config.yaml").read_text())
    assert given["split_seed"] == list(range(SPLITS))
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(given | {"split_seed": 0, "model": "logistic_regression"}))
    shares = []
    for seed in range(SPLITS):
        layers = [file_layer(tmp_path / "one.yaml"), flag_layer({"split_seed": str(seed)})]
        made = plan(layers, tmp_path, tmp_path / "cache", None)
        for _ in train._training(made).fit():
            pass
        found = results.predict(made.model, made.store, made.selection, made.runtime)
        shares.append(accuracy_score(found["test_labels"], found["test_probabilities"].argmax(1)))
    assert statistics.fmean(shares) >= 0.95
    assert len(set(shares)) > 1, "the splits differ"


@pytest.fixture(scope="module")
def cancer(make_project):
    """Two of the classifiers, then the dense net."""
    project = make_project("cancer")
    unused = "  - knn\n  - random_forest\n  - linear_svm\n  - gradient_boosting\n  - adaboost\n"
    project.edit("examples/breast_cancer/config.yaml", (unused, ""))
    project.ran = project.repro("breast_cancer")
    return project


def test_standard_classifiers_and_the_dense_net_learn_from_one_store_and_are_told_of_together(cancer):
    ran, left, printed = cancer.ran
    assert (ran[0], sorted(ran[1:-1]), ran[-1], left) == ("prepare", ["classifiers", "dense"], "notify", [])
    folder = cancer.folder / "examples/breast_cancer/artifacts/breast_cancer"
    for name in ("logistic_regression", "naive_bayes"):
        (row,) = csv.DictReader((folder / name / "training_history.csv").read_text().splitlines())
        metrics = json.loads((folder / name / "metrics.json").read_text())
        assert float(row["val_acc"]) == pytest.approx(metrics["val"]["accuracy"])
    assert "breast\\_cancer\\_dense/dense" in printed


def test_the_dense_net_has_a_history_a_best_epoch_and_a_confusion_matrix(cancer):
    folder = cancer.folder / "examples/breast_cancer/artifacts/breast_cancer_dense/dense"
    header, *rows = (folder / "training_history.csv").read_text().splitlines()
    accuracies = [float(row.split(",")[header.split(",").index("val_acc")]) for row in rows]
    best = json.loads((folder / "metrics.json").read_text())["val"]
    assert best["accuracy"] == max(accuracies) == accuracies[best["best_epoch"] - 1]
    assert (folder / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


def test_other_classifiers_leave_data_and_network_as_they_are(cancer):
    cancer.edit("examples/breast_cancer/config.yaml", ("  - naive_bayes\n", "  - knn\n"))
    status = json.loads(cancer.dvc("status", "dvc.yaml", "--json", where="examples/breast_cancer"))
    assert {name for name, reasons in status.items() if reasons != ["always changed"]} == {"classifiers"}


def batch(number):
    """Twenty images of noise, as the published batches have them."""
    random = np.random.default_rng(number)
    content = {b"data": random.integers(0, 256, (20, 3072), np.uint8), b"labels": [*range(10), *range(10)]}
    return pickle.dumps(content, protocol=2)


@pytest.fixture(scope="module")
def images(make_project):
    """CIFAR-10 of 120 images in data/raw, and the pipeline of the image classifier, one epoch of a narrow net."""
    project = make_project("cifar")
    raw = project.folder / "examples/cifar/data/raw/cifar-10-batches-py"
    raw.mkdir()
    for number, name in enumerate([f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]):
        (raw / name).write_bytes(batch(number))
    project.edit("examples/cifar/config.yaml", ("num_epochs: 10", "num_epochs: 1\nwidth: 8\nbatch_size: 16"))
    return project


def test_the_image_classifier_learns_from_the_batches(images):
    ran, left, printed = images.repro("cifar")
    assert (ran, left) == (["prepare", "train", "notify"], [])
    assert "## cifar/sprint" in printed
    metrics = json.loads((images.folder / "examples/cifar/artifacts/cifar/sprint/metrics.json").read_text())
    assert (metrics["n"], metrics["val"]["n"]) == (20, 10)
    assert images.run("git", "status", "--porcelain", "examples/cifar/data").stdout == ""


def test_the_same_images_elsewhere_are_prepared_and_train_nothing_new(images):
    raw = images.folder / "examples/cifar/data/raw/cifar-10-batches-py"
    elsewhere = images.folder / "data/cifar_dataset"
    elsewhere.mkdir(parents=True)
    raw.rename(elsewhere / raw.name)
    text = "dataset_folder: data/raw "
    images.edit("examples/cifar/config.yaml", (text, "dataset_folder: ../../data/cifar_dataset "))
    printed = images.dvc("repro", "prepare", where="examples/cifar")
    assert "Running stage 'prepare'" in printed
    status = json.loads(images.dvc("status", "dvc.yaml", "--json", where="examples/cifar"))
    (why,) = status["train"]
    assert list(why["changed deps"]) == ["config.yaml"], "the setting, and not the store"
