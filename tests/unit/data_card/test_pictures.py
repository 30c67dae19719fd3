"""Images and histograms inside a page: they are what they were, small, and harmless whatever they are called."""

import base64
import io
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from image_classifier.data_card.pictures import THUMBNAIL, bar, histogram, shares, thumbnail


def opened(text):
    return Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", text)[1])))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_tiny_image_is_kept_to_the_pixel(channels):
    image = np.random.default_rng(0).integers(0, 256, (8, 8, channels), np.uint8)
    found = np.asarray(opened(thumbnail(image, "x")))
    assert np.array_equal(found.reshape(8, 8, channels), image)


def test_a_large_image_becomes_small_and_keeps_its_shape_and_colour():
    image = np.zeros((300, 150, 3), np.uint8)
    image[..., 0] = 200
    text = thumbnail(image, "x")
    assert opened(text).size == (THUMBNAIL // 2, THUMBNAIL)
    assert np.abs(np.asarray(opened(text)).mean(axis=(0, 1)) - [200, 0, 0]).max() < 4
    assert len(text) < 2000


def test_words_of_an_image_cannot_become_markup():
    text = thumbnail(np.zeros((4, 4, 1), np.uint8), '"><script>alert(1)</script>')
    assert "<script" not in text
    assert text.count('"') == 2 * len(re.findall(r' (?:class|src|alt|title)="', text))


def test_the_bars_of_a_histogram_are_as_high_as_numpy_counts():
    values = np.random.default_rng(0).normal(size=500)
    drawn = ET.fromstring(histogram({"train": values, "test": values[:50]}).partition("<div")[0])  # noqa: S314 (our own)
    heights = [float(each.get("height")) for each in drawn.iter("rect")]
    counts = np.histogram(values, 24)[0]
    lines = list(drawn.iter("polyline"))
    assert [each.get("class") for each in lines] == ["test"]
    assert np.array(heights) / sum(heights) == pytest.approx(counts[counts > 0] / 500, abs=0.002)


def test_a_histogram_of_one_value_is_one_bar():
    drawn = histogram({"train": np.full(9, 3.0)})
    assert drawn.count("<rect") == 1
    assert "nan" not in drawn


def test_categories_stand_with_their_shares_and_the_rest_is_counted():
    words = np.array(["a<b"] * 6 + [str(number) for number in range(9)])
    text = shares({"train": words})
    assert "a&lt;b" in text
    assert "40 %" in text
    assert "and 2 more" in text


def test_a_bar_fills_its_share():
    assert "width:25.0%" in bar(0.25)
