"""A store that is cut short or removed while a training reads it."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import warm

EPOCHS = 3


@pytest.fixture
def trained(tmp_path):
    """trained(store, *more) is a training of digits in the store, as a command that has ended."""

    def train(store, *more):
        words = ["train", "--experiment_name", "e", "--run_name", store.name, "--dataset_folder", store]
        words += [
            "--model",
            "cnn",
            "--num_epochs",
            EPOCHS,
            "--num_threads",
            1,
            "--checkpoint_minutes",
            0.002,
            "--tracking_uri",
            "off",
            *more,
        ]
        return warm.run("image_classifier", *words, folder=tmp_path)

    return train


def run_folder(store):
    return store.parent / "experiments" / "e" / store.name


def after_an_epoch(store):
    """The epochs that have ended, one at least and not all of them."""
    history = run_folder(store) / "training_history.csv"
    for _ in range(3000):
        if history.exists() and len(lines := history.read_text().splitlines()) > 1:
            return len(lines) - 1
        time.sleep(0.01)
    raise AssertionError("no epoch has ended")


def prepare(store):
    done = warm.run("image_classifier", "prepare", "--dataset_folder", "digits", "--output", store, folder=store.parent)
    assert done.returncode == 0, done.stderr


def test_a_store_that_is_cut_short_ends_the_training_in_order_and_one_that_is_removed_does_not(trained, tmp_path):
    cut, removed = tmp_path / "cut", tmp_path / "removed"
    for store in (cut, removed):
        prepare(store)
    with ThreadPoolExecutor(2) as both:
        running = [both.submit(trained, store) for store in (cut, removed)]
        assert after_an_epoch(cut) < EPOCHS
        os.truncate(cut / "train_inputs.npy", 50_000)
        assert after_an_epoch(removed) < EPOCHS
        shutil.rmtree(removed)
        ended, whole = (each.result() for each in running)
    assert ended.returncode == 2, ended.stderr
    assert "train_inputs.npy was cut short while it was read: it has 50000 bytes" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (run_folder(cut) / "checkpoint.pth").exists()
    assert whole.returncode == 0, whole.stderr

    shutil.rmtree(cut)
    prepare(cut)
    resumed = trained(cut, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (run_folder(cut) / "model.pth").read_bytes() == (run_folder(removed) / "model.pth").read_bytes()
