"""Tests of the stratified splits."""

import numpy as np
import pytest

from image_classifier.data.splits import held_out_test_split, validation_split

LABELS = np.repeat([0, 1, 2], [50, 30, 20])


def test_every_index_is_in_exactly_one_part_and_both_are_sorted():
    train, validation = validation_split(LABELS, 0.1, 0)
    assert sorted([*train, *validation]) == list(range(100))
    assert list(train) == sorted(train)
    assert list(validation) == sorted(validation)
    assert train.dtype == validation.dtype == np.int64


def test_each_class_gives_its_share():
    _, validation = validation_split(LABELS, 0.1, 0)
    assert np.bincount(LABELS[validation]).tolist() == [5, 3, 2]


@pytest.mark.parametrize("fraction", [0.05, 0.13, 0.15, 0.3, 0.77])
def test_the_total_is_the_rounded_fraction(fraction):
    labels = np.repeat(np.arange(7), [3, 9, 4, 11, 7, 2, 5])
    assert len(validation_split(labels, fraction, 3)[1]) == round(41 * fraction)


def test_largest_remainders_come_first():
    # 0.1 of 16, 14, 10 is 1.6, 1.4, 1.0: the fourth example goes to the first class.
    labels = np.repeat([0, 1, 2], [16, 14, 10])
    assert np.bincount(labels[validation_split(labels, 0.1, 0)[1]]).tolist() == [2, 1, 1]


def test_a_class_with_one_example_stays_in_train():
    labels = np.array([0] * 10 + [1])
    train, validation = validation_split(labels, 0.5, 0)
    assert 10 in train
    assert set(labels[validation]) == {0}


def test_every_class_keeps_an_example_in_train_however_large_the_fraction():
    train, _ = validation_split(LABELS, 0.99, 0)
    assert set(LABELS[train]) == {0, 1, 2}


def test_a_fraction_of_zero_takes_nothing():
    train, validation = validation_split(LABELS, 0, 0)
    assert len(train) == 100
    assert len(validation) == 0
    assert validation.dtype == np.int64


def test_no_labels_give_two_empty_parts():
    assert [len(part) for part in validation_split(np.array([], dtype=np.int64), 0.1, 0)] == [0, 0]


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    assert np.array_equal(validation_split(LABELS, 0.2, 1)[1], validation_split(LABELS.copy(), 0.2, 1)[1])
    assert not np.array_equal(validation_split(LABELS, 0.2, 1)[1], validation_split(LABELS, 0.2, 2)[1])


def test_a_class_split_does_not_depend_on_the_other_classes():
    alone = validation_split(np.zeros(50, dtype=np.int64), 0.1, 0)[1]
    assert np.array_equal(validation_split(LABELS, 0.1, 0)[1][:5], alone)


def test_test_and_validation_are_drawn_independently():
    assert not np.array_equal(held_out_test_split(LABELS, 0.2, 0)[1], validation_split(LABELS, 0.2, 0)[1])


def test_the_split_of_today_is_the_split_of_next_year():
    # Written down once: a change here changes everybody's validation split.
    assert validation_split(np.zeros(20, dtype=np.int64), 0.2, 0)[1].tolist() == [2, 5, 7, 18]
