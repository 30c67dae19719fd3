"""A manifest through the command line: the folder's model bit for bit, and groups that no split divides."""

import csv

import numpy as np
import pytest
import warm
from PIL import Image

from image_classifier import files, load_run
from image_classifier.data.store import open_store

PATIENTS = 12


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of images of two kinds by twelve patients, and manifests of it."""
    folder = tmp_path_factory.mktemp("manifest")
    random = np.random.default_rng(0)
    rows = []
    for number in range(120):
        kind, patient = ("dark", "light")[number % 2], f"p{number // 2 % PATIENTS}"
        path = folder / "images" / kind / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        low = 0 if kind == "dark" else 100
        Image.fromarray(random.integers(low, low + 150, (8, 8, 3), dtype=np.uint8)).save(path)
        rows.append({"image": f"images/{kind}/{number:03}.png", "label": kind, "patient": patient})
    new = [{"image": row["image"], "kind": row["label"]} for row in rows[:30]]
    for name, chosen in (("all", rows[::-1]), ("kinds", [{**row, "kind": row["label"]} for row in rows]), ("new", new)):
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, chosen[0])
            writer.writeheader()
            writer.writerows(chosen)
    return folder


def train(folder, run, *arguments):
    names = ("--experiment_name", "e", "--run_name", run, "--cache_folder", "cache", "--num_threads", "1")
    done = warm.run("image_classifier", "train", *names, "--num_epochs", "1", *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return load_run(folder / "experiments/e" / run), done


def test_a_manifest_gives_the_folder_s_model_bit_for_bit(place):
    of_folder, _ = train(place, "folder", "--dataset_folder", "images")
    of_manifest, done = train(place, "manifest", "--dataset_folder", "all.csv")
    assert "model cnn, chosen by the data: images of 8 × 8 pixels" in done.stderr
    assert of_manifest.card == of_folder.card
    digests = [files.digest_file(run.folder / "model.pth") for run in (of_folder, of_manifest)]
    assert digests[0] == digests[1]


def test_no_patient_is_on_two_sides_of_the_test_or_the_validation_split(place):
    run, _ = train(
        place, "grouped", "--dataset_folder", "kinds.csv", "--target_column", "kind", "--group_column", "patient"
    )
    assert run.config.group_column == "patient"
    (store,) = [
        each
        for each in map(open_store, (path for path in (place / "cache").iterdir() if (path / "store.json").exists()))
        if each.digest == run.card["dataset_digest"]
    ]
    rows = run.predictions()["val_rows"].tolist()
    names = store.splits["train"].names
    sides = {
        "val": [names[row] for row in rows],
        "learn": [name for row, name in enumerate(names) if row not in rows],
        "test": store.splits["test"].names,
    }
    patients = {side: {int(name[-7:-4]) // 2 % PATIENTS for name in of_side} for side, of_side in sides.items()}
    assert all(patients.values())
    assert sum(map(len, patients.values())) == PATIENTS
    assert set.union(*patients.values()) == set(range(PATIENTS))


def test_a_run_is_measured_again_on_its_own_data_and_on_another_manifest(place):
    own = warm.run("image_classifier", "evaluate", "e/grouped", "--cache_folder", "cache", folder=place)
    assert own.returncode == 0, own.stderr
    other = ("evaluate", "e/grouped", "--dataset_folder", "new.csv", "--cache_folder", "cache")
    done = warm.run("image_classifier", *other, folder=place)
    assert done.returncode == 0, done.stderr
    assert "30" in done.stdout
