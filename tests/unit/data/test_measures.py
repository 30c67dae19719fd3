"""What is measured on an image, against floats computed one image at a time and against images made by hand."""

import dataclasses

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from image_classifier.data import measures as module
from image_classifier.data.measures import luma, measures

pytestmark = pytest.mark.unit

SHAPES = [(32, 32, 3), (8, 8, 1), (33, 17, 3), (17, 48, 1), (3, 3, 3), (64, 96, 3), (2, 2, 3), (2, 5, 1), (1, 6, 3)]


def noise(shape, count=20, seed=0):
    """Images from nearly black to nearly white, each with a spread of its own."""
    random = np.random.default_rng([seed, *shape])
    centre, spread = random.uniform(0, 255, (2, count, 1, 1, 1))
    return np.clip(random.normal(centre, spread / 2, (count, *shape)), 0, 255).astype(np.uint8)


def by_hand(image):
    """The measures of one image, in floats, as the papers write them."""
    gray = luma(image[None])[0].astype(float)
    height, width = gray.shape
    wide = max(1, min(height, width) // 16)
    rows, columns = np.indices(gray.shape)
    far = (rows >= wide) & (rows < height - wide) & (columns >= wide) & (columns < width - wide)
    inner = ndimage.laplace(gray)[1:-1, 1:-1]
    colour = 0.0
    if image.shape[2] == 3:
        red, green, blue = image.astype(float).transpose(2, 0, 1)
        rg, yb = red - green, (red + green) / 2 - blue
        colour = np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)
    sharpness = np.sqrt((inner**2).mean()) if inner.size else 0.0
    return [gray.mean(), gray.std(), sharpness, colour, gray[~far].std()]


def columns(found):
    return np.stack(list(vars(found).values()), axis=1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_measure_is_what_plain_floats_give(shape):
    images = noise(shape)
    truth = [by_hand(image) for image in images]
    np.testing.assert_allclose(columns(measures(images)), truth, rtol=1e-12, atol=1e-9)


def test_gray_levels_are_pillows_but_for_rounding():
    images = noise((40, 40, 3), 10)
    for image, gray in zip(images, luma(images), strict=True):
        pillows = np.asarray(Image.fromarray(image).convert("L")).astype(int)
        assert set(np.unique(pillows - gray)) <= {0, 1}
    one = noise((5, 7, 1))
    assert np.array_equal(luma(one), one[..., 0])
    assert luma(np.full((1, 2, 2, 3), 255, np.uint8)).tolist() == [[[255, 255], [255, 255]]]


def test_images_made_by_hand_have_the_measures_that_can_be_told_of_them():
    black, white = (np.full((16, 16, 3), level, np.uint8) for level in (0, 255))
    board = 255 * np.indices((16, 16)).sum(axis=0)[..., None].repeat(3, axis=2) % 510
    ramp = np.broadcast_to(np.arange(16)[:, None, None] * 10, (16, 16, 3))
    red = np.broadcast_to([255, 0, 0], (16, 16, 3))
    framed = np.full((16, 16, 3), 90)
    framed[1:-1, 1:-1] = np.arange(14 * 14).reshape(14, 14, 1)
    found = measures(np.stack([black, white, board, ramp, red, framed]).astype(np.uint8))
    assert found.brightness[:4].tolist() == [0, 255, 127.5, 75]
    assert found.contrast[:3].tolist() == [0, 0, 127.5]
    assert found.sharpness[:4].tolist() == [0, 0, 4 * 255, 0], "each neighbour differs; a ramp bends nowhere"
    assert found.colour[:4].tolist() == [0, 0, 0, 0]
    assert found.colour[4] == pytest.approx(0.3 * np.hypot(255, 127.5))
    assert found.border[[0, 1, 4, 5]].tolist() == [0, 0, 0, 0]
    assert found.border[2] == 127.5
    assert found.contrast[5] > 40


def test_blur_lowers_sharpness_and_nothing_makes_gray_colourful():
    image = noise((32, 32, 1), 1, seed=3).repeat(3, axis=3)
    blurred = ndimage.gaussian_filter(image, (0, 1, 1, 0))
    found = measures(np.concatenate([image, blurred]))
    assert found.sharpness[0] > 3 * found.sharpness[1] > 0
    assert found.colour.tolist() == [0, 0]


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 1, 1), (2, 1, 3), (1, 2, 1), (9, 1, 3)], ids=str)
def test_images_of_a_pixel_or_a_line_have_finite_measures(shape):
    found = measures(noise(shape))
    assert np.isfinite(columns(found)).all()
    assert found.sharpness.tolist() == [0] * 20


@pytest.mark.parametrize("size", [1, 3 * 32 * 32 * 7, 10**9])
def test_pieces_change_nothing(monkeypatch, size):
    images = noise((32, 32, 3), 50)
    whole = columns(measures(images))
    monkeypatch.setattr(module, "_PIECE_BYTES", size)
    assert len(next(module.pieces(images))) == {1: 1, 10**9: 50}.get(size, 7)
    assert np.array_equal(columns(measures(images)), whole)


def test_an_image_is_measured_alone_as_among_others_and_is_left_as_it_is():
    images = noise((20, 30, 3), 30)
    before = images.copy()
    whole = columns(measures(images))
    assert np.array_equal(images, before)
    for index in (0, 11, 29):
        assert np.array_equal(columns(measures(images[index : index + 1]))[0], whole[index])


def test_a_large_white_image_does_not_overflow():
    found = measures(np.full((1, 1024, 1024, 3), 255, np.uint8))
    assert dataclasses.astuple(found) == ([255], [0], [0], [0], [0])
