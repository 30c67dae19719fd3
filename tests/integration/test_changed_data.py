"""Data that has changed since a run was trained on it: every command says what is different, by name and by number."""

import json
import shutil
import sqlite3

import numpy as np
import pytest
import yaml
from PIL import Image

from image_classifier import runs, tracking
from image_classifier.main import main, trainer
from image_classifier.settings.layers import CODE, Layer
from image_classifier.training.train import TrainingRequest, train

TINY = ["--model", "knn", "--num_threads", "1", "--tracking_uri", "off"]


class BrokenOffError(Exception):
    """What ends a training after its first epoch."""


def painted(seed):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8))


def fill(folder):
    """Two classes with their own test split: 20 images to learn from and 6 to test on in each."""
    for at, name in enumerate(("cat", "dog")):
        for split, count in (("train", 20), ("test", 6)):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                painted([at, len(split), number]).save(folder / split / name / f"{number:02}.png")


def change(folder):
    """Twelve images more, one gone, three in the other class, one changed."""
    for number in range(12):
        painted([7, number]).save(folder / "train" / "cat" / f"new{number:02}.png")
    painted([8]).save(folder / "train" / "cat" / "05.png")
    (folder / "test" / "dog" / "03.png").unlink()
    for name in ("10.png", "11.png", "12.png"):
        (folder / "train" / "dog" / name).rename(folder / "train" / "cat" / f"dog{name}")


ALL_WORDS = (
    "12 images more (train/cat/new00.png, train/cat/new01.png, …), 1 image fewer (test/dog/03.png), "
    "3 labels different (train/cat/dog10.png: dog, now cat, train/cat/dog11.png: dog, now cat, …), "
    "1 image changed (train/cat/05.png)"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with e/r, trained on its images and finished; and e/begun, which stopped after one epoch of two."""
    folder = tmp_path_factory.mktemp("changed")
    fill(folder / "pets")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert trainer(["--experiment_name", "e", "--run_name", "r", "--dataset_folder", "pets", *TINY, *CACHE]) == 0

        def break_off(_):
            raise BrokenOffError

        patched.setattr(tracking.Mirror, "update", break_off)
        given = {"model": "cnn", "num_epochs": "2", "num_threads": "1", "dataset_folder": "pets"}
        with pytest.raises(BrokenOffError):
            train(TrainingRequest("e", "begun", [Layer(CODE, given)], folder / "experiments", folder / "cache"))
    return folder


CACHE = ["--cache_folder", "cache"]


@pytest.fixture
def changed(trained, tmp_path, monkeypatch):
    """A copy of that folder, and its data changed; the current folder."""
    shutil.copytree(trained, tmp_path / "copy")
    change(tmp_path / "copy" / "pets")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def refusal(changed, capsys):
    """refusal(*words) is what a command says that refuses and leaves every run as it is."""

    def give(*words, program=main):
        before = content(changed / "experiments")
        capsys.readouterr()
        assert program([*words, *CACHE]) == 2
        assert content(changed / "experiments") == before
        return capsys.readouterr().err

    return give


def test_resume_evaluate_and_mine_say_what_has_changed_by_number_and_name(refusal):
    begun = ["--experiment_name", "e", "--run_name", "begun", "--resume", "--tracking_uri", "off"]
    said = refusal(*begun, program=trainer)
    assert (
        f"error: the data has changed since e/begun began: {ALL_WORDS}\n hint: restore it, or train a new run" in said
    )
    for command in ("evaluate", "mine"):
        said = refusal(command, "e/r")
        assert f"error: the data of e/r, pets, has changed since it was trained: {ALL_WORDS}\n" in said
    assert f"error: pets is not the data of e/r: {ALL_WORDS}\n" in refusal("mine", "e/r", "--dataset_folder", "pets")


def test_data_that_is_named_is_measured_and_what_has_changed_in_it_is_said(changed, caplog, capsys):
    caplog.set_level("INFO")
    before = content(changed / "experiments")
    assert main(["evaluate", "e/r", "--dataset_folder", "pets", *CACHE]) == 0
    assert f"pets is no longer what e/r was trained on: {ALL_WORDS}" in caplog.text
    assert "test        11 images" in capsys.readouterr().out
    assert content(changed / "experiments") == before


def test_where_the_cache_was_cleared_they_say_what_the_run_has_kept(refusal, changed):
    shutil.rmtree(changed / "cache")
    gone = "the store of then is no longer in cache, so nothing can be compared by name"
    said = refusal("evaluate", "e/r")
    assert f"since it was trained: 12 test images before, 11 now (dog: 6 before, 5 now); {gone}\n" in said
    begun = ["--experiment_name", "e", "--run_name", "begun", "--resume", "--tracking_uri", "off"]
    assert f"error: the data has changed since e/begun began: {gone}\n" in refusal(*begun, program=trainer)


def test_restored_data_is_the_run_s_own_again(changed, trained, capsys):
    shutil.rmtree(changed / "pets")
    shutil.copytree(trained / "pets", changed / "pets")
    assert main(["evaluate", "e/r", *CACHE]) == 0
    assert main(["mine", "e/r", *CACHE]) == 0


def test_a_run_with_a_parent_and_a_comparison_say_what_came_between(changed, capsys, caplog):
    begun = runs.read(changed / "experiments/e/begun")
    given = {"model": "cnn", "num_epochs": 1, "num_threads": 1, "dataset_folder": "pets"}
    shutil.copytree(changed / "pets", changed / "kept")
    shutil.rmtree(changed / "pets")
    fill(changed / "pets")

    def run(name, **more):
        layers = [Layer(CODE, given | more)]
        return train(TrainingRequest("e", name, layers, changed / "experiments", changed / "cache"))[0]

    parent = run("parent")
    assert parent.card["dataset_digest"] == begun.card["dataset_digest"]
    change(changed / "pets")
    caplog.set_level("INFO")
    child = run("child", pretrained_model="e/parent/model.pth")
    assert f"the data since e/parent: {ALL_WORDS}" in caplog.text
    capsys.readouterr()
    assert main(["compare", "e/parent", "e/child", "e/r", "--output", "c.json", *CACHE]) == 0
    printed = capsys.readouterr().out
    note = f"The data of {child.name} is not that of {parent.name}: {ALL_WORDS}."
    assert printed.endswith(f"\n\n{note}\n")
    assert json.loads((changed / "c.json").read_text())["notes"] == [note]
    assert "not comparable: different test data" in printed


def test_a_query_s_rows_are_told_by_their_keys(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with sqlite3.connect("rows.db") as database:
        database.execute("CREATE TABLE t (key TEXT, label TEXT, height REAL, age REAL)")
        rows = [(f"p{at:02}", "ab"[at % 2], float(at % 7), float(at)) for at in range(60)]
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
    query = "SELECT key, label, height, age, CASE WHEN key > 'p50' THEN 'test' ELSE 'train' END AS split FROM t"
    (tmp_path / "db.yaml").write_text(yaml.safe_dump({"dialect": "sqlite", "name": "rows.db", "query": query}))
    data = ["--dataset_folder", "database", "--db_connect", "db.yaml"]
    words = ["--experiment_name", "e", "--run_name", "r", *data, *TINY, *CACHE]
    assert trainer(words) == 0
    with database:
        database.execute("UPDATE t SET label = 'b' WHERE key IN ('p00', 'p02', 'p04')")
        database.executemany(
            "INSERT INTO t SELECT ?, label, height, age FROM t WHERE key = 'p01'", [("q1",), ("p001",)]
        )
        database.execute("UPDATE t SET age = 99 WHERE key = 'p55'")
    database.close()
    capsys.readouterr()
    assert main(["evaluate", "e/r", "--db_connect", "db.yaml", *CACHE]) == 2
    said = capsys.readouterr().err
    assert (
        "the data of e/r, database, has changed since it was trained: 2 rows more (p001, q1), "
        "3 labels different (p00: a, now b, p02: a, now b, …), 1 row changed (p55)\n"
    ) in said
