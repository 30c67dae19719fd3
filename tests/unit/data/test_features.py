"""Features of images and rows: one scale, the same for the same data however it is divided, never infinite."""

import numpy as np
import pytest

from image_classifier.data.features import image_features, row_features
from image_classifier.data.tables import Column


def images(count, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


@pytest.mark.parametrize(
    "shape", [(8, 8, 1), (32, 32, 3), (48, 20, 3), (1, 1, 1), (2, 3, 3), (1, 40, 1), (5, 5, 1), (200, 150, 3)]
)
def test_images_of_any_size_get_finite_numbers_of_one_scale(shape):
    found = image_features([images(30, *shape), images(7, *shape, seed=1)])
    assert len(found) == 37
    assert np.isfinite(found).all()
    told = found.std(axis=0) > 0.5
    assert found[:, told].mean(axis=0) == pytest.approx(0, abs=1e-3)
    assert found[:, told].std(axis=0) == pytest.approx(1, abs=1e-2)


def test_images_that_are_all_one_colour_have_nothing_to_tell():
    assert np.isfinite(image_features([np.full((20, 16, 16, 3), 7, np.uint8)])).all()


def test_equal_images_have_equal_features_whatever_split_they_are_in():
    some = images(40, 16, 16, 3)
    found = image_features([some, some[:5]])
    assert found[40:] == pytest.approx(found[:5], abs=1e-4)
    assert image_features([some, some[:5]]) == pytest.approx(found, abs=1e-6), "it has changed from call to call"


def test_images_of_other_brightness_colour_or_pattern_are_told_apart():
    noise = images(60, 16, 16, 3) // 4
    dark, light, red = noise, noise + 120, noise + np.array([120, 0, 0], np.uint8)
    striped = dark.copy()
    striped[:, ::2] += 20
    found = image_features([dark, light, red, striped]).reshape(4, 60, -1)
    within = max(np.linalg.norm(kind - kind.mean(axis=0), axis=1).mean() for kind in found)
    centres = found.mean(axis=1)
    for one in range(4):
        for other in range(one):
            assert np.linalg.norm(centres[one] - centres[other]) > 0.5 * within, (one, other)


def test_rows_keep_their_own_numbers_and_get_bends_of_them():
    rows = np.random.default_rng(0).normal(5, 3, (50, 1, 1, 2)).astype(np.float32)
    found = row_features([rows[:40], rows[40:]], [Column("a"), Column("b")])
    assert found[:, :2] == pytest.approx(
        (rows[:, 0, 0] - rows.mean(axis=(0, 1, 2))) / rows.std(axis=(0, 1, 2)), abs=1e-4
    )
    product = rows[:, 0, 0].prod(axis=1)
    straight, bent = (np.linalg.lstsq(found[:, :end], product - product.mean())[1] for end in (2, 40))
    assert bent.sum() < straight.sum()
