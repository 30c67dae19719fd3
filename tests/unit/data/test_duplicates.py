"""Duplicates: equal examples and nearly equal ones become groups, whatever split they are in."""

import numpy as np
from PIL import Image

from image_classifier.data.duplicates import duplicates, members


def images(count, seed=0):
    """Images with a coarse pattern each, so that none is nearly another."""
    coarse = np.random.default_rng(seed).integers(30, 200, (count, 4, 4, 3), np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((32, 32), Image.Resampling.BICUBIC)) for each in coarse])


def groups(found):
    return [list(map(int, each)) for each in members(found)]


def test_equal_images_are_a_group_in_one_split_and_across_splits():
    train, test = images(12), images(6, seed=1)
    train[7] = train[2]
    test[3] = train[2]
    test[5] = test[0]
    found = duplicates([train, test], images=True)
    assert groups(found.exact) == [[2, 7, 15], [12, 17]]
    assert groups(found.near) == [[2, 7, 15], [12, 17]]


def test_nearly_equal_images_join_the_group_of_their_equals():
    train, test = images(12), images(6, seed=1)
    train[7] = train[2]
    test[3] = train[2] + 9  # lighter
    test[4] = np.asarray(Image.fromarray(train[5]).resize((24, 24)).resize((32, 32)))
    found = duplicates([train, test], images=True)
    assert groups(found.exact) == [[2, 7]]
    assert groups(found.near) == [[2, 7, 15], [5, 16]]


def test_different_images_and_flat_ones_of_different_grays_are_no_duplicates():
    train = images(20)
    train[3], train[4] = 10, 200
    found = duplicates([train, images(5, seed=2)], images=True)
    assert groups(found.exact) == groups(found.near) == []


def test_rows_of_a_table_are_compared_exactly():
    rows = np.random.default_rng(0).normal(size=(9, 1, 1, 3)).astype(np.float32)
    rows[4], rows[6] = rows[1], rows[2] + 1e-6
    found = duplicates([rows[:5], rows[5:]], images=False)
    assert groups(found.exact) == groups(found.near) == [[1, 4]]


def test_the_smallest_images_are_compared_only_exactly():
    tiny = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    tiny[4] = tiny[0]
    assert groups(duplicates([tiny[:3], tiny[3:]], images=True).near) == [[0, 4]]
