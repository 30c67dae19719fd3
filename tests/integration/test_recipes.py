"""The recipes reach what the README says of them, on real data."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from image_classifier import load_run

pytestmark = pytest.mark.integration


def trained(folder, data, *arguments):
    names = ("--experiment_name", "recipes", "--run_name", "run", "--dataset_folder", data)
    command = [sys.executable, "-m", "image_classifier.main", *map(str, (*names, *arguments))]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder.parent / "cache")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return load_run(folder / "experiments" / "recipes" / "run").metrics()


def processor():
    """What /proc/cpuinfo says of the first core: names alone do not tell one generation from the next."""
    about = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", Path("/proc/cpuinfo").read_text().split("\n\n")[0], re.MULTILINE))
    return f"{about.get('model name')}, family {about.get('cpu family')}, model {about.get('model')}"


@pytest.mark.parametrize("seed", [0, 1])
def test_cnn_recognises_98_of_100_digits(tmp_path, seed):
    assert trained(tmp_path, "digits", "--model", "cnn", "--seed", seed, "--num_threads", "1")["accuracy"] >= 0.98


@pytest.mark.alone
def test_the_default_network_recognises_86_of_100_images_of_cifar(tmp_path, cifar, record_property):
    started = time.monotonic()
    report = trained(tmp_path, cifar)
    record_property("seconds from process start", round(time.monotonic() - started))
    record_property("accuracy", report["accuracy"])
    record_property("processor", processor())
    assert report["n"] == 10_000
    assert report["accuracy"] >= 0.86


def test_net_is_as_good_as_in_the_notebook_it_comes_from(tmp_path, cifar, record_property):
    # A step of four images is too small to be shared by threads.
    accuracy = trained(tmp_path, cifar, "--model", "net", "--num_threads", "1")["accuracy"]
    record_property("accuracy", accuracy)
    assert abs(accuracy - 0.54) <= 0.03


def test_flat_images_that_differ_in_colour_alone_are_told_apart(tmp_path):
    for name, colour in {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}.items():
        (tmp_path / "flat" / name).mkdir(parents=True)
        for number in range(40):
            Image.new("RGB", (32, 32), colour).save(tmp_path / "flat" / name / f"{number}.png")
    report = trained(tmp_path, tmp_path / "flat", "--precision", "bf16")
    assert report["accuracy"] == report["val"]["accuracy"] == 1
