"""Tests of what a trained network sees in images."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image
from torch.nn.functional import interpolate

from image_classifier.data_card import photo_features as room
from image_classifier.data_card.photo_features import photo_features
from image_classifier.model import lite
from image_classifier.model.pretrained import start_from


@pytest.fixture(scope="module")
def pictures():
    """Four cuts of 64 × 64 pixels out of two photos."""
    china, flower = load_sample_image("china.jpg"), load_sample_image("flower.jpg")
    return np.stack([image[top : top + 64, 200:264] for image in (china, flower) for top in (60, 200)])


def test_a_head_on_the_numbers_gives_what_the_whole_network_does(pictures):
    network = lite.build(1000, (128, 128, 3))
    start_from(network, lite.weights(""), [str(number) for number in range(1000)], "imagenet")
    large = interpolate(
        torch.from_numpy(pictures).permute(0, 3, 1, 2).float(), size=(128, 128), mode="bicubic", antialias=True
    )
    seen = (large - 127) / 128
    with torch.inference_mode():
        logits = network.eval()(seen)
        numbers = lite.headless()(seen)
        torch.testing.assert_close(network.body.classifier(numbers), logits, rtol=1e-4, atol=1e-4)
    centred = numbers - numbers.mean(dim=0)
    expected = centred / centred.std(dim=0, correction=0).clamp(min=1e-6)
    found = photo_features([pictures[:3], pictures[3:]])
    assert (found.dtype, found.shape) == (np.float32, (4, 1280))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-3)


def test_gray_images_are_seen_as_three_equal_channels(pictures):
    gray = pictures[..., :1]
    np.testing.assert_allclose(photo_features([gray]), photo_features([gray.repeat(3, axis=3)]), atol=1e-4)


def test_small_images_and_very_many_are_left_to_other_features(pictures, monkeypatch):
    assert photo_features([pictures[:, :31]]) is None
    monkeypatch.setattr(room, "MOST", 3)
    assert photo_features([pictures]) is None


def test_without_the_weights_labels_are_judged_all_the_same(pictures, monkeypatch, caplog):
    monkeypatch.setattr(lite, "_PACKAGE", "no_such_package")
    with caplog.at_level("INFO"):
        assert photo_features([pictures]) is None
    assert "judged without a trained network: the package no-such-package is not installed" in caplog.text
