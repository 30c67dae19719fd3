"""Evaluate: what is said of data that is no longer what a run was trained on, and where it computes."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from image_classifier import compose, train
from image_classifier.cpus import available_cpus
from image_classifier.main import main
from image_classifier.runs import Run
from image_classifier.training.trained import runtime_of

pytestmark = pytest.mark.unit


def draw(folder, side=8, seed=0):
    for number, name in enumerate(20 * ("cat", "dog")):
        pixels = np.random.default_rng([seed, number]).integers(0, 256, (side, side, 3), np.uint8)
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name / f"{number}.png")


def write_table(path, *names):
    rows = [",".join([*names, "class"])]
    rows += [",".join([*(str(number * len(name) % 7) for name in names), "ab"[number % 2]]) for number in range(40)]
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a run of images and one of a table, and their data."""
    folder = tmp_path_factory.mktemp("evaluate")
    draw(folder / "pets")
    write_table(folder / "rows.csv", "length", "age")
    where = {"experiment_name": "e", "experiments_folder": folder / "runs", "cache_folder": folder / "cache"}
    one = {"num_epochs": 1, "num_threads": "1"}
    train(model="cnn", **one, dataset_folder=folder / "pets", run_name="images", **where)
    table = {"model": "dense", "target_column": "class", **one}
    train(**table, dataset_folder=folder / "rows.csv", run_name="table", **where)
    return folder


def refusal(place, capsys, run, *arguments):
    folders = ["--experiments_folder", place / "runs", "--cache_folder", place / "cache"]
    before = {path: path.stat().st_mtime_ns for path in (place / "runs").rglob("*")}
    capsys.readouterr()
    assert main(["evaluate", run, *map(str, [*folders, *arguments])]) == 2
    assert {path: path.stat().st_mtime_ns for path in (place / "runs").rglob("*")} == before
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "how"),
    [({"seed": 1}, "40 images changed (cat/"), ({"side": 16}, "its images are 16×16×3, and the run reads 8×8×3\n")],
)
def test_changed_images_are_named_with_what_is_different(place, capsys, change, how):
    draw(place / "pets", **change)
    said = refusal(place, capsys, "e/images")
    assert f"error: the data of e/images, {place / 'pets'}, has changed since it was trained: {how}" in said
    draw(place / "pets")


def test_a_table_with_other_columns_is_named_with_those_that_are_missing(place, capsys):
    write_table(place / "rows.csv", "length", "size")
    said = refusal(place, capsys, "e/table")
    assert f"the data of e/table, {place / 'rows.csv'}, has changed" in said
    assert "its columns or their categories are others: age\n" in said
    write_table(place / "rows.csv", "length", "age")


@pytest.mark.parametrize(
    ("run", "data", "how"),
    [
        ("images", "wine", "it holds rows of a table, and the run reads images"),
        ("images", "digits", "its images are 8×8×1, and the run reads 8×8×3"),
        ("table", "digits", "it holds images, and the run reads rows"),
    ],
)
def test_other_data_that_the_run_cannot_read_is_named_with_the_reason(place, capsys, run, data, how):
    said = refusal(place, capsys, f"e/{run}", "--dataset_folder", data)
    assert f"error: e/{run} cannot be measured on {data}: {how}\n" in said


def test_a_run_with_far_more_threads_than_this_machine_has_is_measured_with_its_cpus(place, caplog):
    before = {"device": "cpu", "precision": "fp32", "num_threads": 9999, "capability": "x"}
    config = dataclasses.asdict(compose(model="cnn", num_threads=9999))
    record = {"config": config, "card": {"runtime": before, "versions": {}, "settings": {}}}
    assert runtime_of(Run(place, record)).num_threads == available_cpus()
    assert "the last digits may differ" in caplog.text
