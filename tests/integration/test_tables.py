"""Tables through the command line: the stages and files of images, on rows."""

import csv
import json

import numpy as np
import pytest
import warm
from sklearn.metrics import accuracy_score, log_loss

from image_classifier import load_run
from image_classifier.errors import UserError

RESULTS = {
    "metrics.png", "metrics.json", "training_history.csv", "training_history.png", "confusion_matrix.png",
    "predictions.npz", "run.json", "error_sets.json", "error_sets.csv", "error_sets.png",
}  # fmt: skip


def command(folder, *arguments):
    return warm.run("image_classifier", *arguments, folder=folder)


def train(folder, run, *arguments):
    names = ("--experiment_name", "e", "--run_name", run, "--cache_folder", "cache", "--num_threads", "1")
    return command(folder, "train", *names, *arguments)


@pytest.fixture(scope="module")
def quality(tmp_path_factory):
    """A folder with a table of ratings, and a run of each kind trained on it."""
    folder = tmp_path_factory.mktemp("tables")
    random = np.random.default_rng(0)
    lines = [["Id", "acid", "sugar", "grape", "rating"]]
    for row in range(300):
        rating = int(random.integers(3))
        acid, sugar = random.normal(rating, 0.6, 2)
        lines.append([row, f"{acid:.3f}", f"{sugar:.3f}", ("red", "white")[rating == 2], rating])
    with (folder / "wine.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(lines)
    table = ("--dataset_folder", "wine.csv", "--target_column", "rating", "--drop_columns", "Id")
    for name in ("dense", "random_forest", "logistic_regression"):
        done = train(folder, name, *table, "--model", name)
        assert done.returncode == 0, done.stderr
    return folder, table


@pytest.mark.parametrize("name", ["dense", "random_forest"])
def test_a_run_on_a_table_has_the_files_of_a_run_on_images(quality, name):
    folder, _ = quality
    files = {path.name for path in (folder / "experiments/e" / name).iterdir() if path.name[0] != "."}
    assert files == RESULTS | {"model.pth" if name == "dense" else "model.skops"}
    run = load_run(folder / "experiments/e" / name)
    assert set(run.record["files"]) == files - {"run.json"}
    assert [column["name"] for column in run.card["input"]["columns"]] == ["acid", "sugar", "grape"]
    arrays = run.predictions()
    predicted = arrays["test_probabilities"].argmax(1)
    metrics = run.metrics()
    assert metrics["accuracy"] == accuracy_score(arrays["test_labels"], predicted)
    assert metrics["loss"] == pytest.approx(log_loss(arrays["test_labels"], arrays["test_probabilities"]), rel=1e-4)
    assert metrics["accuracy"] > 0.8


def test_the_history_of_a_fit_is_one_epoch(quality):
    folder, _ = quality
    (row,) = load_run(folder / "experiments/e/random_forest").history()
    assert row["epoch"] == 1
    assert row["acc"] > row["val_acc"] > 0.7


def test_tables_are_trained_with_dense_unless_something_else_is_asked_for(quality):
    folder, table = quality
    done = command(folder, "config", *table[:2])
    assert done.stdout.startswith("model: dense ")
    assert command(folder, "config", "--dataset_folder", "digits").stdout.startswith("model: cnn ")


@pytest.mark.parametrize("name", ["dense", "random_forest"])
def test_the_same_command_gives_the_same_predictions_and_evaluating_again_rewrites_them(quality, name, tmp_path):
    folder, table = quality
    before = (folder / "experiments/e" / name / "predictions.npz").read_bytes()
    done = train(folder, f"{name}-again", *table, "--model", name)
    assert done.returncode == 0, done.stderr
    assert (folder / "experiments/e" / f"{name}-again" / "predictions.npz").read_bytes() == before
    assert command(folder, "evaluate", f"e/{name}", "--cache_folder", "cache").returncode == 0
    assert (folder / "experiments/e" / name / "predictions.npz").read_bytes() == before


@pytest.mark.parametrize("name", ["dense", "random_forest"])
def test_predict_classifies_rows_as_the_run_did(quality, name):
    folder, _ = quality
    done = command(folder, "predict", f"e/{name}", "wine.csv", "--output", f"{name}.csv")
    assert done.returncode == 0, done.stderr
    with (folder / f"{name}.csv").open() as stream:
        answers = list(csv.DictReader(stream))
    with (folder / "wine.csv").open() as stream:
        truth = [row["rating"] for row in csv.DictReader(stream)]
    assert [answer["path"] for answer in answers][:2] == ["wine.csv:1", "wine.csv:2"]
    run = load_run(folder / "experiments/e" / name)
    kept = run.predictions()["test_probabilities"]
    given = np.array([[float(answer[f"p_{each}"]) for each in run.classes] for answer in answers])
    assert np.abs(given[:, None] - kept[None]).max(2).min(0).max() < 1e-5, "each is among the answers"
    assert np.mean([answer["class"] == value for answer, value in zip(answers, truth, strict=True)]) > 0.8


def test_rows_with_an_unknown_category_and_further_columns_are_classified(quality):
    folder, _ = quality
    (folder / "new.csv").write_text("comment,grape,sugar,acid\nhm,rose,0.1,0.2\n")
    done = command(folder, "predict", "e/random_forest", "new.csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("new.csv:1,0,")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("acid,grape\n1,red\n", ["no column sugar"]),
        ("acid,sugar,grape\n1,sweet,red\n", ["sugar", "'sweet'", "numbers"]),
    ],
)
def test_rows_that_lack_what_the_model_reads_are_refused(quality, text, words):
    folder, _ = quality
    (folder / "bad.csv").write_text(text)
    done = command(folder, "predict", "e/random_forest", "bad.csv")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_compare_and_notify_take_runs_of_every_kind(quality):
    folder, _ = quality
    done = command(folder, "compare", "e/dense", "e/random_forest", "e/logistic_regression", "--output", "c.json")
    assert done.returncode == 0, done.stderr
    rows = json.loads((folder / "c.json").read_text())["runs"]
    assert all(row["mcnemar_p"] is not None for row in rows[1:])
    told = command(folder, "notify", "e/random_forest")
    assert told.returncode == 0, told.stderr
    assert "model.skops" in told.stdout


def test_evaluating_on_another_table_reads_its_rows_as_the_run_did(quality):
    folder, _ = quality
    lines = (folder / "wine.csv").read_text().splitlines()
    (folder / "part.csv").write_text("\n".join([lines[0], *(line for line in lines[1:] if ",red," in line)]) + "\n")
    done = command(folder, "evaluate", "e/dense", "--dataset_folder", "part.csv", "--cache_folder", "cache",
                   "--output", "part.json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "part.json").read_text())
    assert report["n"] == sum(",red," in line for line in lines)
    assert report["accuracy"] > 0.8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "resnet18"], ["resnet18 reads images", "random_forest"]),
        (["--model", "random_forest", "--optimizer", "sgd"], ["optimizer is not a setting of random_forest"]),
        (["--model", "knn", "--device", "cuda"], ["device cuda means nothing to knn"]),
        (
            ["--model", "knn", "--pretrained_model", "torchvision"],
            ["pretrained_model", "nothing to knn"],
        ),
        (["--model", "random_forrest"], ["did you mean random_forest?"]),
        (["--pretrained_model", "e/random_forest/model.skops"], ["model of scikit-learn", "model.pth"]),
        (
            ["--pretrained_model", "e/dense/model.pth", "--drop_columns", "Id,grape"],
            ["other columns", "acid, sugar, grape"],
        ),
        (["--target_column", "ratin"], ["no column 'ratin'", "did you mean rating?"]),
    ],
)
def test_what_does_not_fit_a_table_is_refused_before_anything_is_written(quality, arguments, words):
    folder, table = quality
    done = train(folder, "refused", *table, *arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert not (folder / "experiments/e/refused").exists()


def test_a_dense_network_begins_where_its_parent_ended(quality):
    folder, table = quality
    parent = ("--pretrained_model", "e/dense/model.pth")
    done = train(folder, "child", *table, *parent, "--num_epochs", "1", "--learning_rate", "1e-9")
    assert done.returncode == 0, done.stderr
    child, before = (load_run(folder / "experiments/e" / name) for name in ("child", "dense"))
    assert child.metrics()["accuracy"] == pytest.approx(before.metrics()["accuracy"], abs=0.05)


def test_images_can_be_read_as_one_long_row(tmp_path):
    done = train(tmp_path, "r", "--dataset_folder", "digits", "--model", "knn")
    assert done.returncode == 0, done.stderr
    run = load_run(tmp_path / "experiments/e/r")
    assert run.metrics()["accuracy"] > 0.97
    with pytest.raises(UserError):
        (run.folder / "model.skops").write_bytes(b"other")
        run.model()
