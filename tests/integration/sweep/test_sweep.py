"""A sweep of 36 runs, 12 of which cannot be, eight at a time, sent to a real MLflow store; and what is made of it."""

import csv
import json
import math
import os
import shutil
import sqlite3
import statistics

import pytest
import warm
from PIL import Image

from image_classifier import files, load_run
from image_classifier.cpus import available_cpus
from image_classifier.main import main

GRID = f"""\
dataset_folder: wine
model: [naive_bayes, knn, cnn]
split_seed: {list(range(12))}
val_fraction: 0.2
"""
FINISHED = [f"{model}--split_seed-{seed}" for model in ("naive_bayes", "knn") for seed in range(12)]
FAILED = [f"cnn--split_seed-{seed}" for seed in range(12)]


def command(folder, *arguments, **environment):
    return warm.run("image_classifier", *arguments, folder=folder, environment=os.environ | environment)


def sweep(folder, *arguments):
    return command(
        folder, "sweep", "--config", "grid.yaml", "--experiment_name", "w", "--cache_folder", "cache", *arguments
    )


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """The folder, and the process that has ended."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "grid.yaml").write_text(GRID)
    done = sweep(folder, "-j", "8", "--tracking_uri", "sqlite:///experiments/mlflow.db", "--tag", "team=a")
    return folder, done


@pytest.fixture
def copied(swept, tmp_path, monkeypatch):
    """A copy of that folder, to go on in."""
    shutil.copytree(swept[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(folder):
    return json.loads((folder / "experiments/w/sweep.json").read_text())


def rows(folder):
    with (folder / "experiments/w/sweep.csv").open(newline="") as stream:
        return {row["run"]: row for row in csv.DictReader(stream)}


def test_runs_that_cannot_be_do_not_stop_the_others(swept):
    folder, done = swept
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "error: 12 of 36 runs failed: cnn--split_seed-0, cnn--split_seed-1, cnn--split_seed-2 …" in done.stderr
    assert "hint: the same command tries again" in done.stderr
    assert done.stdout.startswith("24 of 36 runs are finished. Best by validation: model ")
    told = [line.split("  ")[1] for line in done.stderr.splitlines() if "/36  " in line]
    assert sorted(told) == sorted(FINISHED + FAILED), "one line for each run"
    assert done.stderr.count("preparing 178 examples") == 12, "each split is prepared once"
    assert [each["name"] for each in record(folder)["failures"]] == FAILED
    assert {each["what"] for each in record(folder)["failures"]} == {"cnn reads images, and this is a table"}
    assert record(folder)["status"] == "finished"


def test_the_table_has_the_figures_of_every_run(swept):
    folder, _ = swept
    table = rows(folder)
    assert list(table) == FINISHED + FAILED
    for name in FINISHED:
        run, row = load_run(folder / "experiments/w" / name), table[name]
        metrics = run.metrics()
        assert (row["model"], row["split_seed"]) == (run.config.model, str(run.config.split_seed))
        assert float(row["accuracy"]) == metrics["accuracy"]
        assert float(row["validation_accuracy"]) == metrics["val"]["accuracy"]
        assert [float(row[f"accuracy_ci95_{end}"]) for end in ("low", "high")] == metrics["accuracy_ci95"]
        assert row["status"] == "finished"
        assert not row["error"]
    assert {table[name]["status"] for name in FAILED} == {"failed"}
    assert {table[name]["accuracy"] for name in FAILED} == {""}


def test_the_best_is_the_model_with_the_highest_mean_on_validation(swept):
    folder, done = swept
    table = rows(folder)
    shares = {
        model: [
            float(row["validation_accuracy"]) for row in table.values() if row["model"] == model and row["accuracy"]
        ]
        for model in ("naive_bayes", "knn")
    }
    first = max(shares, key=lambda model: statistics.fmean(shares[model]))
    assert record(folder)["best"]["settings"]["model"] == first
    half = 2.200985 * statistics.stdev(shares[first]) / math.sqrt(12)  # t(0.975, 11), from tables
    mean = statistics.fmean(shares[first])
    assert f"right on {100 * mean:.1f} % (95 % interval {100 * (mean - half):.1f} %" in done.stdout
    text = (folder / "experiments/w/sweep.md").read_text()
    assert f"| {first.replace('_', chr(92) + '_')} | 12 | {100 * mean:.1f} % |" in text


def test_the_pictures_are_pictures(swept):
    for name in ("sweep_settings.png", "sweep_parallel.png"):
        with Image.open(swept[0] / "experiments/w" / name) as picture:
            assert min(picture.size) > 400
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 50


def test_a_run_of_a_sweep_is_the_run_that_train_makes(swept, tmp_path):
    folder, _ = swept
    threads = str(max(1, available_cpus() // 8))
    flags = ("--model", "knn", "--split_seed", "3", "--val_fraction", "0.2", "--num_threads", threads)
    done = command(
        tmp_path, "train", "--experiment_name", "w", "--run_name", "r", "--dataset_folder", "wine", *flags,
        "--cache_folder", str(folder / "cache"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    alone, child = tmp_path / "experiments/w/r", folder / "experiments/w/knn--split_seed-3"
    for name in ("predictions.npz", "metrics.json", "metrics.png", "confusion_matrix.png"):
        assert (alone / name).read_bytes() == (child / name).read_bytes(), name
    assert load_run(alone).card == load_run(child).card
    assert {path.name for path in alone.iterdir()} == {path.name for path in child.iterdir()}
    assert "sweep --config grid.yaml" in load_run(child).record["provenance"]["command"]


def test_the_tracking_store_has_every_run_under_the_sweep(swept):
    folder, _ = swept
    with sqlite3.connect(folder / "experiments/mlflow.db") as database:
        names = dict(database.execute("select run_uuid, name from runs"))
        states = {state for (state,) in database.execute("select status from runs")}
        parents = dict(database.execute("select run_uuid, value from tags where key = 'mlflow.parentRunId'"))
        teams = dict(database.execute("select run_uuid, value from tags where key = 'team'"))
        validation = dict(
            database.execute("select run_uuid, value from latest_metrics where key = 'validation_accuracy'")
        )
        grid = database.execute("select value from tags where key = 'grid.model'").fetchall()
    database.close()
    (parent,) = names.keys() - parents.keys()
    assert names[parent] == "sweep w"
    assert set(parents.values()) == {parent}
    assert sorted(names[each] for each in parents) == sorted(FINISHED)
    table = rows(folder)
    assert {names[each]: value for each, value in validation.items()} == {
        name: float(table[name]["validation_accuracy"]) for name in FINISHED
    }
    assert set(teams) == set(names)
    assert states == {"FINISHED"}
    assert grid == [("naive_bayes, knn, cnn",)]
    kept = list((folder / "experiments/mlartifacts").rglob("sweep_parallel.png"))
    assert [path.read_bytes() for path in kept] == [(folder / "experiments/w/sweep_parallel.png").read_bytes()]


def test_the_same_command_trains_nothing_again_and_tries_what_failed(copied):
    before = {
        path: path.stat().st_mtime_ns for name in FINISHED for path in (copied / "experiments/w" / name).iterdir()
    }
    (copied / "grid.yaml").write_text(GRID.replace(", cnn]", "]"))
    done = sweep(copied, "-j", "2")
    assert done.returncode == 0, done.stderr
    assert "24 of 24 runs are finished already" in done.stderr
    assert "12 runs of an earlier grid stay where they are" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert list(rows(copied)) == FINISHED
    assert record(copied)["asked"]["num_threads"] == str(max(1, available_cpus() // 8)), "not that of -j 2"


def run_main(*arguments):
    return main(["sweep", "--config", "grid.yaml", "--experiment_name", "w", "--cache_folder", "cache", *arguments])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("val_fraction: 0.2", "val_fraction: 0.3"), "w/naive_bayes--split_seed-0 was trained with val_fraction 0.2"),
        (("dataset_folder: wine", "dataset_folder: breast_cancer"), "was trained with dataset_folder wine"),
        (("0.2", "0.2\nnum_threads: 7"), "was trained with num_threads"),
    ],
)
def test_other_settings_under_the_same_names_are_refused(copied, capsys, change, words):
    (copied / "grid.yaml").write_text(GRID.replace(*change))
    before = files.digest_file(copied / "experiments/w/sweep.json")
    assert run_main() == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert "--experiment_name" in shown
    assert files.digest_file(copied / "experiments/w/sweep.json") == before


def test_a_second_sweep_at_the_same_time_is_refused(copied, capsys):
    with files.lock(copied / "experiments/w", "busy"):
        assert run_main() == 2
    assert "another sweep is at work in experiments/w" in capsys.readouterr().err


def test_a_damaged_record_is_named(copied, capsys):
    for text in ("{", "[]"):
        (copied / "experiments/w/sweep.json").write_text(text)
        assert run_main() == 2
        assert "experiments/w/sweep.json is not" in capsys.readouterr().err


def test_a_run_whose_figures_are_gone_is_told_as_failed(copied, capsys):
    (copied / "grid.yaml").write_text(GRID.replace(", cnn]", "]"))
    (copied / "experiments/w/knn--split_seed-1/metrics.json").unlink()
    assert run_main() == 2
    assert "1 of 24 runs failed: knn--split_seed-1" in capsys.readouterr().err
    assert "metrics.json cannot be read" in rows(copied)["knn--split_seed-1"]["error"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-j", "0"], "-j 0 is not a number of runs"),
        (["-j", "-3"], "-j"),
        (["-j", "65"], "1 to 64"),
        (["-j", "many"], "-j many"),
        (["--experiment_name", "../x"], "--experiment_name"),
        (["--experiment_name", "mlflow.db"], "tracking keeps"),
        (["--config", "none.yaml"], "none.yaml"),
        (["--dataset_folder", "wnie"], "wine"),
        (["--model", "resnet81"], "resnet18"),
        (["--run_name", "x"], "--run_name is not a flag"),
        (["--model", "knn", "--split_seed", "1"], "no setting has a list"),
        (["--tag", "x"], "--tag x"),
        (["--tracking_uri", "htp://x"], "htp://x"),
        (["--cache_folder", "/proc/x"], "/proc/x"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_before_anything_is_written(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grid.yaml").write_text(GRID)
    assert run_main(*arguments) == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "experiments").exists()


def test_notify_tells_a_sweep_by_name_and_by_folder(copied, capsys):
    assert main(["notify", "w"]) == 0
    assert capsys.readouterr().out == (copied / "experiments/w/sweep.md").read_text()
    assert main(["notify", "experiments/w", "--output", "told.md"]) == 0
    assert (copied / "told.md").read_text() == (copied / "experiments/w/sweep.md").read_text()
    text = record(copied)
    (copied / "experiments/w/sweep.json").write_text(json.dumps(text | {"status": "unfinished"}))
    assert main(["notify", "w"]) == 2
    assert "the sweep w is not finished" in capsys.readouterr().err
