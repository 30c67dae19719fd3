"""Images to classify: those that are named, in order, at the size and with the channels that a model reads."""

import os

import numpy as np
import pytest
from PIL import Image

from image_classifier.data.reading import image_files, read_images
from image_classifier.errors import UserError

pytestmark = pytest.mark.unit


def test_files_come_in_the_order_given_and_folders_sorted_without_what_is_hidden(tmp_path, picture):
    for name in ("b/2.png", "b/10.png", "b/.hidden.png", "b/.git/x.png", "b/c/1.png", "a.png"):
        picture(tmp_path / name)
    found = image_files([tmp_path / "b", tmp_path / "a.png"])
    assert [os.path.relpath(image.path, tmp_path) for image in found] == ["b/10.png", "b/2.png", "b/c/1.png", "a.png"]
    assert found[-1].bytes == (tmp_path / "a.png").stat().st_size


def test_what_is_missing_or_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match=r"no such image: .*missing\.png, .*pipe"):
        image_files([tmp_path / "missing.png", tmp_path / "pipe"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no images in .*empty"):
        image_files([tmp_path / "empty"])


def test_colours_are_what_pillow_reads_and_gray_is_its_luma(tmp_path, picture):
    pixels = [picture(tmp_path / f"{number}.png") for number in range(2)]
    images = image_files([tmp_path])
    assert np.array_equal(read_images(images, (8, 8, 3)), pixels)
    gray = read_images(images, (8, 8, 1))
    expected = [np.asarray(Image.fromarray(each).convert("L"))[..., None] for each in pixels]
    assert gray.shape == (2, 8, 8, 1)
    assert np.abs(gray.astype(int) - expected).max() <= 1  # Pillow rounds another way


def test_images_are_fitted_to_a_square_and_to_nothing_else(tmp_path, picture):
    picture(tmp_path / "1.png", 8, 8)
    images = image_files([tmp_path])
    assert read_images(images, (4, 4, 3)).shape == (1, 4, 4, 3)
    with pytest.raises(UserError, match="images of 4×6 pixels only"):
        read_images(images, (4, 6, 3))


def test_files_that_cannot_be_read_are_named(tmp_path, picture):
    picture(tmp_path / "good.png")
    (tmp_path / "bad.png").write_text("x")
    with pytest.raises(UserError, match=r"1 of 2 files cannot be used:\n.*bad\.png") as caught:
        read_images(image_files([tmp_path]), (8, 8, 3))
    assert caught.value.hint == "leave these files out, or replace them"
