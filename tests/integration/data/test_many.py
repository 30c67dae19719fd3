"""100,000 files, and 10,000 classes: a store, a data card, figures and pictures come of them, in bounded memory."""

import os
import resource

import numpy as np
import pytest
from PIL import Image

from image_classifier.data.preparing import prepare
from image_classifier.data_card.content import content
from image_classifier.data_card.page import page
from image_classifier.evaluation.metrics import Predictions, run_metrics
from image_classifier.training.results import confusions
from image_classifier.visualization import plot

FILES, CLASSES = 100_000, 10_000


def largest():
    """The most memory that this process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with 80,002 files of one class, and two of each of 9,999 others: links to a few."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(4):  # a file may have 65,000 links
        Image.new("RGB", (1, 1), (60 * number, 0, 0)).save(folder / f"{number}.png")
    for number in range(CLASSES):
        place = folder / "data" / f"class {number:05}"
        place.mkdir(parents=True)
        for each in range(FILES - 2 * (CLASSES - 1) if number == 7 else 2):
            os.link(folder / f"{each % 4}.png", place / f"{each:05}.png")
    return folder


def test_100_000_files_of_10_000_classes_become_a_store(folder, record_property):
    before = largest()
    store = prepare(str(folder / "data"), image_size=None, split_seed=0, cache_folder=folder / "cache", quiet=True)
    record_property("memory", f"{largest() - before:.0f} MB more")
    counts = sum(np.bincount(split.labels, minlength=CLASSES) for split in store.splits.values())
    assert (len(store.classes), counts.sum(), counts[7]) == (CLASSES, FILES, FILES - 2 * (CLASSES - 1))
    assert largest() - before < 600
    some = next(iter(store.splits["test"].names))
    with Image.open(folder / "data" / some) as image:
        assert tuple(np.asarray(store.splits["test"].inputs[0]).ravel()) == image.getpixel((0, 0))


def test_the_figures_and_pictures_of_10_000_classes_are_small_and_true(record_property):
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, 60)
    shares = np.zeros((60, CLASSES), np.float32)
    shares[np.arange(60), np.where(np.arange(60) < 45, labels, 0)] = 1
    test, classes = Predictions(labels, shares), [f"class {number}" for number in range(CLASSES)]
    before = largest()
    report = run_metrics(test, None, 1, classes)
    pictures = [plot.png(plot.accuracy_figure(report)), plot.png(confusions(test, None, classes))]
    record_property("memory", f"{largest() - before:.0f} MB more")
    assert report["accuracy"] == 0.75
    assert len(report["per_class"]) == CLASSES
    assert max(map(len, pictures)) < 2_000_000
    assert largest() - before < 1000  # the matrix of all classes alone takes 800


def test_a_data_card_of_1_200_classes_stays_below_five_megabytes(folder):
    chosen = folder / "some"
    chosen.mkdir()
    for number in range(100, 1300):
        (chosen / f"class {number:05} {'ein sehr langer Name ' * 9}").symlink_to(folder / "data" / f"class {number:05}")
    store = prepare(str(chosen), image_size=None, split_seed=0, cache_folder=folder / "cache", quiet=True)
    text = page("some", content(store))
    assert "1,200 classes" in text
    assert len(text.encode()) < 5_000_000
