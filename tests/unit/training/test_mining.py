"""What is known of test examples before they are asked, and the three files of what was mined with it."""

import csv
import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from image_classifier import files
from image_classifier.data.measures import measures
from image_classifier.data.store import Split, Store
from image_classifier.data.tables import Column
from image_classifier.errors import UserError
from image_classifier.evaluation.metrics import Predictions
from image_classifier.runs import MINED, formats
from image_classifier.training import mining

pytestmark = pytest.mark.unit

COUNT = 1200
SHAPE = (12, 12, 3)


def images(count, seed):
    """Noise of any brightness and contrast."""
    random = np.random.default_rng(seed)
    centre, spread = random.uniform((40, 5), (215, 60), (count, 2)).T[..., None, None, None]
    return np.clip(random.normal(centre, spread, (count, *SHAPE)), 0, 255).astype(np.uint8)


def labelled(inputs, seed, **more):
    return Split(inputs, np.random.default_rng(seed).integers(0, 2, len(inputs)), None, **more)


def stored(folder, train, test, columns=None):
    shape = train.inputs.shape[1:]
    splits = {"train": train, "test": test}
    numbers = (0.5,) * shape[2]
    return Store(
        folder, ("a", "b"), shape, numbers, numbers, "0" * 64, splits, 0, None, draws_test=False, columns=columns
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A store of images from files of several sizes; every fifth test image is a copy from the training split."""
    random = np.random.default_rng(0)
    train, test = images(900, 1), images(COUNT, 2)
    test[::5] = train[: len(test[::5])]
    sizes = [random.integers(20, 400, (len(each), 2)).astype(np.int32) for each in (train, test)]
    sizes[1][:3] = [[100, 100], [111, 100], [100, 111]]
    names = tuple(f"{number}.png" for number in range(COUNT))
    split = dataclasses.replace(labelled(test, 4, sizes=sizes[1]), names=names)
    return stored(tmp_path_factory.mktemp("store"), labelled(train, 3, sizes=sizes[0]), split)


def answered(store, wrong):
    """Answers on the test split that are wrong just there."""
    labels = store.splits["test"].labels
    shares = np.full((len(labels), 2), 0.25, np.float32)
    shares[np.arange(len(labels)), np.where(wrong, 1 - labels, labels)] = 0.75
    return Predictions(labels, shares)


def found(store, wrong):
    return mining.found(store, answered(store, wrong), store.classes)


@pytest.fixture
def answering(made, tmp_path):
    """answering(store, wrong) is a run whose answers are wrong just there."""

    def make(store, wrong, **parts):
        run, test = made(tmp_path / "e" / "r", **parts), answered(store, wrong)
        none = {"val_labels": test.labels[:0], "val_probabilities": test.probabilities[:0], "val_rows": test.labels[:0]}
        arrays = {"test_labels": test.labels, "test_probabilities": test.probabilities} | none
        files.write_bytes(run.path("predictions.npz"), formats.npz(arrays))
        return run

    return make


def first(report):
    return report["sets"][0]["itemsets"], report["sets"][0]["itemsets_desc"]


def by_quarter(store, name):
    """Which quarter of the training images each test image is in."""
    here, there = (getattr(measures(store.splits[split].inputs), name) for split in ("train", "test"))
    edges = np.sort(here)[[224, 449, 674]]
    return edges, (there[:, None] > edges).sum(axis=1)


def failing(inside):
    """Errors of a tenth of all, and of six tenths inside."""
    return np.random.default_rng(9).random(COUNT) < np.where(inside, 0.6, 0.1)


WORDS = {
    "brightness": "very dark",
    "contrast": "very low contrast",
    "sharpness": "very blurred",
    "border": "very plain border",
}


@pytest.mark.parametrize("quarter", [0, 3])
@pytest.mark.parametrize("name", WORDS)
def test_images_that_fail_by_a_measure_are_told_by_it(photos, name, quarter):
    edges, which = by_quarter(photos, name)
    report = found(photos, failing(which == quarter))
    # Noise has its contrast, sharpness and border from one number: any of them may tell it.
    keys = {f"{each}={quarter + 1}/4" for each in WORDS}
    assert set(first(report)[0]) & keys
    assert report["edges"][name] == edges.tolist()
    if name == "brightness":
        assert first(report)[1] == ("very dark" if quarter == 0 else "very bright")


def test_images_of_one_class_are_told_by_its_name(photos):
    report = found(photos, failing(photos.splits["test"].labels == 1))
    assert first(report) == (["class=b"], "class b")


@pytest.mark.parametrize(("aspect", "told"), [(0, "portrait"), (1, "square"), (2, "landscape")])
def test_images_are_told_by_the_shape_of_their_files(photos, aspect, told):
    height, width = photos.splits["test"].sizes.T.astype(int)
    tall, wide = 10 * height > 11 * width, 10 * width > 11 * height
    assert [tall[:3].tolist(), wide[:3].tolist()] == [[False, True, False], [False, False, True]]
    report = found(photos, failing(np.where(tall, 0, np.where(wide, 2, 1)) == aspect))
    assert first(report) == ([f"aspect={told}"], told)


def test_images_are_told_by_the_pixels_of_their_files(photos):
    pixels = [photos.splits[split].sizes.astype(int).prod(axis=1) for split in ("train", "test")]
    edges = np.sort(pixels[0])[[224, 449, 674]]
    report = found(photos, failing(pixels[1] > edges[2]))
    assert first(report) == (["original size=4/4"], "very large file")
    assert report["edges"]["original size"] == edges.tolist()


def test_copies_of_training_images_are_told(photos):
    report = found(photos, failing(np.arange(COUNT) % 5 == 0))
    assert first(report) == (["near-duplicate=yes"], "near-duplicate of a training image")
    assert report["sets"][0]["n"] == COUNT / 5


def test_where_files_had_one_size_nothing_is_told_of_it(photos):
    splits = {name: dataclasses.replace(split, sizes=None) for name, split in photos.splits.items()}
    report = found(dataclasses.replace(photos, splits=splits), failing(np.arange(COUNT) < 300))
    assert sorted(report["edges"]) == ["border", "brightness", "colour", "contrast", "sharpness"]


def test_three_files_tell_the_same_and_come_again_to_the_byte(photos, answering):
    wrong = failing(by_quarter(photos, "brightness")[1] == 0)
    run = answering(photos, wrong)
    report = mining.write_error_sets(run, photos)
    written = {name: run.path(name).read_bytes() for name in MINED}
    assert formats.read_error_sets(run.path("error_sets.json"), "") == files.read_json(run.path("error_sets.json"))
    rows = list(csv.DictReader(io.StringIO(written["error_sets.csv"].decode())))
    assert [int(row["errors"]) for row in rows] == [each["errors"] for each in report["sets"]]
    width, height = Image.open(io.BytesIO(written["error_sets.png"])).size
    assert width > 1000
    assert height > 200
    for name in MINED:
        run.path(name).unlink()
    assert mining.write_error_sets(run, photos) == report
    assert {name: run.path(name).read_bytes() for name in MINED} == written


def test_the_names_of_the_files_stand_beside_the_numbers_of_the_examples(photos):
    wrong = failing(photos.splits["test"].labels == 1)
    report = found(photos, wrong)
    shown = report["sets"][0]
    assert len(shown["examples"]) == 20
    assert shown["example_names"] == [f"{number}.png" for number in shown["examples"]]
    assert all(wrong[shown["examples"]])
    splits = photos.splits | {"test": dataclasses.replace(photos.splits["test"], names=None)}
    report = found(dataclasses.replace(photos, splits=splits), wrong)
    assert report["sets"][0]["example_names"] is None


def test_the_model_has_no_part_in_the_edges(photos):
    one, other = (found(photos, np.arange(COUNT) % share == 0) for share in (3, 7))
    assert one["edges"] == other["edges"]


def test_answers_about_other_examples_are_refused_and_nothing_is_written(photos, answering, tmp_path):
    run = answering(photos, np.zeros(COUNT, bool))
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    labels = photos.splits["test"].labels
    for changed in (1 - labels, labels[:-1]):
        splits = photos.splits | {"test": dataclasses.replace(photos.splits["test"], labels=changed)}
        with pytest.raises(UserError, match=r"predictions\.npz is not about the test examples") as caught:
            mining.write_error_sets(run, dataclasses.replace(photos, splits=splits))
        assert "evaluate" in caught.value.hint
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A store of a table with an age, a grape of three kinds (a tenth unknown), and a sweetness."""
    columns = (Column("age"), Column("grape", ("red", "rosé", "white")), Column("sugar"))
    splits = []
    for seed, count in enumerate((6000, COUNT)):
        random = np.random.default_rng(seed)
        grape = np.eye(4, dtype=np.float32)[random.choice(4, count, p=(0.3, 0.3, 0.3, 0.1))][:, :3]
        age, sugar = random.gamma(2, 20, (2, count, 1)).astype(np.float32)
        splits.append(labelled(np.concatenate([age, grape, sugar], axis=1)[:, None, None], seed))
    return stored(tmp_path_factory.mktemp("rows"), *splits, columns=columns)


@pytest.fixture
def card(made, tmp_path):
    """The card of a run that reads such rows."""
    columns = [{"name": name, "categories": None} for name in "abcde"]
    usual = made(tmp_path / "usual").record["card"]
    return usual | {"input": {"shape": [1, 1, 5], "mean": [0.0] * 5, "std": [1.0] * 5, "columns": columns}}


def test_rows_are_told_by_their_category_and_an_unknown_one_by_none(rows):
    inputs = rows.splits["test"].inputs[:, 0, 0]
    report = found(rows, failing(inputs[:, 2] == 1))
    assert first(report) == (["grape=rosé"], "grape = rosé")
    assert report["sets"][0]["n"] == inputs[:, 2].sum()
    report = found(rows, failing(inputs[:, 1:4].max(axis=1) == 0))
    assert not {"grape=red", "grape=rosé", "grape=white"} & set(first(report)[0] if report["sets"] else ())


def test_rows_are_told_by_the_quarters_of_their_numbers(rows):
    ages = rows.splits["test"].inputs[:, 0, 0, 0]
    edge = np.quantile(rows.splits["train"].inputs[:, 0, 0, 0], 0.75)
    report = found(rows, failing(ages > edge))
    assert first(report)[0] == ["age=4/4"]
    assert first(report)[1] == f"age above {report['edges']['age'][-1]:.6g}"
    # 5,000 training rows, drawn, say where quarters end.
    assert report["edges"]["age"][-1] == pytest.approx(edge, rel=0.05)
    assert sorted(report["edges"]) == ["age", "sugar"]


def test_rows_are_told_in_a_picture_without_examples(rows, answering, card):
    run = answering(rows, failing(rows.splits["test"].labels == 0), card=card)
    assert mining.write_error_sets(run, rows)["sets"]
    with Image.open(run.path("error_sets.png")) as picture:
        assert picture.width < 1100
