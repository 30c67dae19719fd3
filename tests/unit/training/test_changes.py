"""What is said of the data since a run: by example where the store of then is there, else by what the run has kept."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from image_classifier import files, runs
from image_classifier.data.preparing import prepare
from image_classifier.training import changes

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("digits", "digits", True),
        ("digits", "./digits", False),
        ("pets", f"{Path.cwd()}/pets", True),
        ("pets", "dogs", False),
        ("s3://b/pets", "s3://b/pets", True),
        ("database", "./database", False),
    ],
)
def test_two_names_of_one_data_set(one, other, same):
    assert changes.same_data(one, other) == same


@pytest.fixture
def fewer(trained, cache, tmp_path):
    """The data of `trained`, wine, without its last five training rows and its last two test rows."""
    before = prepare("wine", image_size=None, split_seed=0, cache_folder=cache, quiet=True)
    folder = tmp_path / "fewer"
    shutil.copytree(before.folder, folder)
    for split, count in (("train", 5), ("test", 2)):
        for part in ("inputs", "labels"):
            path = folder / f"{split}_{part}.npy"
            array = np.load(path)[:-count]
            path.unlink()
            np.save(path, array)
    index = files.read_json(folder / "store.json")
    for name in index["files"]:
        index["files"][name] = {"sha256": files.digest_file(folder / name), "size": (folder / name).stat().st_size}
    from image_classifier.data.store import content_digest, open_store

    (folder / "store.json").unlink()
    files.write_json(folder / "store.json", index | {"digest": content_digest(index)})
    return open_store(folder)


def test_examples_are_compared_where_the_store_of_then_is_there(trained, cache, fewer):
    assert changes.since(trained, fewer, cache) == "7 rows fewer"
    assert changes.to(fewer, trained.card["dataset_digest"], cache) == "7 rows fewer"


def test_test_examples_are_counted_where_the_cache_was_cleared(trained, fewer, tmp_path):
    labels = trained.predictions()["test_labels"]
    gone = np.bincount(labels) - np.bincount(fewer.splits["test"].labels)
    changed = [at for at in range(3) if gone[at]]
    counts = np.bincount(labels)
    words = ", ".join(f"{trained.classes[at]}: {counts[at]} before, {counts[at] - gone[at]} now" for at in changed)
    assert changes.since(trained, fewer, tmp_path) == (
        f"27 test rows before, 25 now ({words}); the store of then is no longer in {tmp_path}, "
        "so nothing can be compared by name"
    )
    assert changes.to(fewer, trained.card["dataset_digest"], tmp_path) is None


def test_of_an_unfinished_run_only_the_classes_are_known(trained, fewer, made, tmp_path):
    card = trained.record["card"] | {"classes": ["class_0", "class_9"]}
    run = made(tmp_path / "e" / "r", runs.UNFINISHED, card=card)
    said = changes.since(run, fewer, tmp_path)
    assert said.startswith("new classes: class_1, class_2; gone: class_9; the store of then is no longer in ")
    assert os.listdir(tmp_path / "e") == ["r"]
