"""Small real data sets, made anew for each test."""

import numpy as np
import pytest
from PIL import Image

from image_classifier.data.preparing import prepare


@pytest.fixture
def noise():
    """Different RGB noise each time it is asked for, the same in each run."""
    random = np.random.default_rng(0)

    def make(height=8, width=8):
        return random.integers(0, 256, (height, width, 3), np.uint8)

    return make


@pytest.fixture
def picture(noise):
    """Writes an image of noise to a path (its format by the suffix) and hands back what Pillow reads from it."""

    def write(path, height=8, width=8):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(height, width)).save(path)
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))

    return write


@pytest.fixture
def pets(tmp_path, picture):
    """Two class folders with ten PNG files each."""
    for name in ("cat", "dog"):
        for number in range(10):
            picture(tmp_path / "pets" / name / f"{number}.png")
    return tmp_path / "pets"


@pytest.fixture
def prepared(tmp_path):
    """`prepare` with a cache folder of this test's own."""

    def call(folder, image_size=None, split_seed=0, **more):
        settings = {"cache_folder": tmp_path / "cache", "quiet": True} | more
        return prepare(str(folder), image_size=image_size, split_seed=split_seed, **settings)

    return call
