"""Tests on the 60,000 JPEG files of CIFAR-10: pixels, labels, and two processes at once."""

import multiprocessing
import os

import numpy as np
import pytest
from PIL import Image

from image_classifier.data.preparing import prepare
from image_classifier.data.store import open_store


def call(folder, cache):
    return prepare(str(folder), image_size=None, split_seed=0, cache_folder=cache, quiet=True)


@pytest.fixture(scope="module")
def store(cifar, tmp_path_factory):
    return call(cifar, tmp_path_factory.mktemp("cache"))


def test_the_store_is_the_data_set(store):
    assert store.shape == (32, 32, 3)
    assert store.duplicates == 0
    for name, each in (("train", 5000), ("test", 1000)):
        assert np.bincount(store.splits[name].labels).tolist() == [each] * 10


def test_every_pixel_is_pillows(store, cifar):
    for split in store.splits.values():
        for row in range(0, len(split.labels), 7):
            with Image.open(cifar / split.names[row]) as image:
                assert np.array_equal(split.inputs[row], np.asarray(image))
            assert split.names[row].split("/")[1] == store.classes[split.labels[row]]


def test_mean_and_deviation_are_those_of_all_training_pixels(store):
    scaled = np.asarray(store.splits["train"].inputs, dtype=np.float64) / 255
    assert np.allclose(store.mean, scaled.mean(axis=(0, 1, 2)), rtol=0, atol=1e-9)
    assert np.allclose(store.std, scaled.std(axis=(0, 1, 2)), rtol=0, atol=1e-9)


def test_two_processes_that_prepare_the_same_store_both_end_well(cifar, store, tmp_path):
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=call, args=(cifar, tmp_path / "cache")) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    (name,) = os.listdir(tmp_path / "cache")
    assert open_store(tmp_path / "cache" / name).digest == store.digest
