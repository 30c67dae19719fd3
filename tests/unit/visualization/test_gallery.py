"""The gallery shows the pixels it is given."""

import numpy as np
import pytest

from image_classifier.visualization import plot

pytestmark = pytest.mark.unit


def drawn(images, titles):
    figure = plot.gallery_figure(images, titles)
    assert plot.png(figure)
    return [axes for axes in figure.axes if axes.images]


@pytest.mark.parametrize("count", [1, 8, 9])
def test_every_image_is_shown_once_under_its_own_title(count):
    images = [np.full((4, 4, 3), index, np.uint8) for index in range(count)]
    shown = drawn(images, [f"image {index}" for index in range(count)])
    assert [axes.get_title() for axes in shown] == [f"image {index}" for index in range(count)]
    assert [int(axes.images[0].get_array().max()) for axes in shown] == list(range(count))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_gray_images_are_gray_and_not_stretched_to_their_own_range(shape):
    image = np.linspace(100, 120, 35).astype(np.uint8).reshape(shape)
    (axes,) = drawn([image], ["gray"])
    pixels = axes.images[0].get_array()
    assert pixels.shape == (5, 7, 3)
    for channel in range(3):
        np.testing.assert_array_equal(pixels[:, :, channel], image.reshape(5, 7))


def test_colour_images_of_different_sizes_keep_their_pixels():
    images = [np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((8, 8), (3, 9))]
    for axes, image in zip(drawn(images, ["a", "b"]), images, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), image)


def test_titles_may_have_lines_formulas_and_letters_the_font_lacks():
    (axes,) = drawn([np.zeros((4, 4), np.uint8)], ["true $x$\npredicted 猫 " + "z" * 40])
    first, second = axes.get_title().split("\n")
    assert first == "true $x$"
    assert second.startswith("#0 pred")
    assert len(second) == 18


def test_no_image_gives_an_empty_picture():
    assert drawn([], []) == []


def test_a_missing_title_is_an_error():
    with pytest.raises(ValueError, match="shorter"):
        plot.gallery_figure([np.zeros((4, 4), np.uint8)] * 2, ["one"])
