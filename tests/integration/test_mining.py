"""Error sets through the command line: what is planted in images and in a table is found, and found again."""

import csv
import shutil

import numpy as np
import pytest
import warm
from PIL import Image

from image_classifier import files, load_run, runs

LEVELS = (40, 90, 140, 190)
DARK = 80  # test images of cats that are very dark, each in truth a dog


def draw(folder, label, shown, level, count, random):
    """Files of several sizes: a gradient across is a cat, one down is a dog."""
    (folder / label).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        height, width = random.integers(16, 32, 2)
        ramp = np.linspace(-25, 25, width)[None] if shown == "cat" else np.linspace(-25, 25, height)[:, None]
        pixels = level + random.uniform(-10, 10) + ramp[..., None] + random.normal(0, 4, (height, width, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{level}_{number}.png")


def command(folder, *arguments):
    return warm.run("image_classifier", *arguments, folder=folder)


def train(folder, run, *arguments):
    names = ("--experiment_name", "e", "--run_name", run, "--cache_folder", "cache", "--num_threads", "1")
    done = command(folder, "train", *names, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def mine(folder, *words):
    return command(folder, "mine", *words, "--cache_folder", "cache")


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A folder with the images, a run trained on them, and what the training printed."""
    folder, random = tmp_path_factory.mktemp("mining"), np.random.default_rng(0)
    for level in LEVELS:
        for label in ("cat", "dog"):
            draw(folder / "pets/train", label, label, level, 30, random)
            planted = (label, level) == ("cat", LEVELS[0])
            draw(folder / "pets/test", label, "dog" if planted else label, level, DARK if planted else 55, random)
    data = ("--dataset_folder", "pets", "--image_size", "16")
    return folder, train(folder, "pets", *data, "--model", "logistic_regression")


@pytest.fixture
def copied(pets, tmp_path):
    """A copy of that folder, to be changed."""
    return shutil.copytree(pets[0], tmp_path / "copy")


def test_training_finds_the_planted_images_first_and_says_so(pets):
    folder, printed = pets
    run = load_run(folder / "experiments/e/pets")
    first = run.error_sets()["sets"][0]
    assert (first["itemsets"], first["wrong_class"]) == (["class=cat", "brightness=1/4"], "dog")
    assert first["n"] == pytest.approx(DARK, abs=8)
    assert first["error_rate"] > 0.9
    assert first["confirmed"]
    (line,) = [line for line in printed if line.startswith("error sets")]
    count = run.error_sets()["nb_freq_sets"]
    assert line == f"error sets  {count}, first class cat, very dark: {first['errors']} of {first['n']} wrong"
    assert {name.rpartition("/")[2].split("_")[0] for name in first["example_names"]} == {"40"}
    assert {"brightness", "original size"} < run.error_sets()["edges"].keys()


def test_the_figures_of_the_table_are_those_of_the_answers(pets):
    run = load_run(pets[0] / "experiments/e/pets")
    with run.path("error_sets.csv").open(newline="") as stream:
        first, *_ = csv.DictReader(stream)
    answers = run.predictions()
    wrong = answers["test_probabilities"].argmax(1) != answers["test_labels"]
    assert list(first)[:4] == ["support", "itemsets", "pattern_length", "itemsets_desc"]
    assert first["itemsets_desc"] == "class cat, very dark"
    assert int(first["errors"]) / wrong.sum() == pytest.approx(float(first["share_of_errors"]))
    assert set(files.read_json(run.path("error_sets.json"))["sets"][0]["examples"]) <= set(np.flatnonzero(wrong))


def test_mining_again_says_each_set_and_writes_the_same_bytes(pets):
    folder, _ = pets
    before = content(folder / "experiments/e/pets")
    done = mine(folder, "e/pets")
    assert (done.returncode, done.stderr) == (0, "")
    assert content(folder / "experiments/e/pets") == before
    report = files.read_json(folder / "experiments/e/pets/error_sets.json")
    head, first, *others = done.stdout.splitlines()
    assert head.startswith(f"error sets  {report['nb_freq_sets']}, first class cat, very dark: ")
    assert first.startswith(f"  1 {report['sets'][0]['errors']:5} of {report['sets'][0]['n']:5} wrong, ")
    assert first.endswith(", confirmed: class cat, very dark")
    assert len(others) == report["nb_freq_sets"] - 1


def test_files_that_were_removed_or_damaged_are_written_again(copied):
    folder = copied / "experiments/e/pets"
    before = content(folder)
    (folder / "error_sets.json").write_text("{")
    (folder / "error_sets.png").write_bytes(b"")
    (folder / "error_sets.csv").unlink()
    assert mine(copied, "e/pets").returncode == 0
    assert content(folder) == before


def test_data_that_has_moved_is_found_by_its_new_place_and_other_data_is_refused(copied):
    folder = copied / "experiments/e/pets"
    before = content(folder)
    (copied / "pets").rename(copied / "animals")
    done = mine(copied, "e/pets")
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert mine(copied, "e/pets", "--dataset_folder", "animals").returncode == 0
    assert content(folder) == before
    next((copied / "animals/test/cat").iterdir()).unlink()
    done = mine(copied, "e/pets", "--dataset_folder", "animals")
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: animals is not the data of e/pets" in done.stderr
    assert content(folder) == before


def test_answers_that_are_damaged_or_about_other_examples_are_refused(copied):
    folder = copied / "experiments/e/pets"
    answers = load_run(folder).predictions()
    for changed in (b"", runs.formats.npz(answers | {"test_labels": 1 - answers["test_labels"]})):
        (folder / "predictions.npz").write_bytes(changed)
        before = content(folder)
        done = mine(copied, "e/pets")
        assert (done.returncode, done.stdout) == (2, "")
        assert "predictions.npz" in done.stderr
        assert "evaluate" in done.stderr
        assert "Traceback" not in done.stderr
        assert content(folder) == before
    assert command(copied, "evaluate", "e/pets", "--cache_folder", "cache").returncode == 0
    assert mine(copied, "e/pets").returncode == 0


def test_the_rows_of_a_table_are_told_by_their_category(tmp_path):
    random = np.random.default_rng(0)
    lines = [["acid", "sugar", "grape", "rating"]]
    for _ in range(2000):
        rating, grape = int(random.integers(2)), random.choice(["red", "rosé", "white"])
        # Nobody can tell the ratings of rosé.
        acid = random.normal(3 * rating, 0.5) if grape != "rosé" else random.normal(1.5, 1)
        lines.append([f"{acid:.3f}", f"{random.normal():.3f}", grape, rating])
    with (tmp_path / "wine.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(lines)
    printed = train(
        tmp_path, "r", "--dataset_folder", "wine.csv", "--target_column", "rating", "--model", "naive_bayes"
    )
    assert any(line.startswith("error sets  ") and "first grape = rosé" in line for line in printed)
    report = load_run(tmp_path / "experiments/e/r").error_sets()
    assert report["sets"][0]["itemsets"] == ["grape=rosé"]
    assert report["sets"][0]["error_rate"] == pytest.approx(0.5, abs=0.15)
    assert report["edges"].keys() == {"acid", "sugar"}
    done = mine(tmp_path, "e/r")
    assert done.stdout.splitlines()[1].endswith("confirmed: grape = rosé")
