"""What a store says of its examples is what numpy computes of them."""

import numpy as np
import pytest

from image_classifier.data import measures, writing
from image_classifier.data.tables import Column

pytestmark = pytest.mark.unit


RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("piece", [1, 500, 500_000])
def test_mean_and_deviation_of_pixels_are_numpys_in_any_pieces(monkeypatch, piece):
    monkeypatch.setattr(measures, "_PIECE_BYTES", piece)
    pixels = RANDOM.integers(0, 256, (20, 5, 6, 3), np.uint8)
    mean, std = writing.moments(pixels)
    np.testing.assert_allclose(mean, (pixels / 255).mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, (pixels / 255).std(axis=(0, 1, 2)), rtol=1e-12)


def test_a_channel_that_never_changes_has_deviation_one():
    assert writing.moments(np.full((2, 3, 3, 1), 255, np.uint8)) == ([1.0], [1.0])


def test_numbers_of_a_table_are_scaled_and_categories_are_not():
    rows = RANDOM.normal(3, 2, (30, 1, 1, 3)).astype(np.float32)
    rows[..., 1:] = np.eye(2)[RANDOM.integers(0, 2, 30)][:, None, None]
    mean, std = writing.scale(rows, (Column("length"), Column("colour", ("blue", "red"))))
    assert (mean[1:], std[1:]) == ([0.0, 0.0], [1.0, 1.0])
    np.testing.assert_allclose(mean[0], rows[:, 0, 0, 0].mean(dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(std[0], rows[:, 0, 0, 0].std(dtype=np.float64), rtol=1e-12)


@pytest.mark.parametrize(("shape", "dtype"), [((3, 3, 1), np.uint8), ((8, 8, 3), np.uint8), ((1, 1, 5), np.float32)])
def test_test_examples_that_are_also_in_train_are_counted(shape, dtype):
    train = RANDOM.integers(0, 256, (40, *shape)).astype(dtype)
    test = np.concatenate([train[[3, 3, 17]], RANDOM.integers(0, 256, (10, *shape)).astype(dtype)])
    known = {row.tobytes() for row in train}
    assert writing.count_duplicates(train, test) == sum(row.tobytes() in known for row in test) == 3


def test_what_only_collides_is_no_duplicate(monkeypatch):
    monkeypatch.setattr(writing, "_fingerprints", lambda pixels: np.zeros(len(pixels), np.uint64))
    train, test = np.zeros((2, 1, 1, 1), np.uint8), np.array([0, 1, 2], np.uint8).reshape(3, 1, 1, 1)
    assert writing.count_duplicates(train, test) == 1
