"""Tests of the stratified splits."""

import itertools

import numpy as np
import pytest

from image_classifier.data.splits import held_out_test_split, numbered, validation_split

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


def patients(count, seed=0, classes=3):
    """Labels and groups: each patient has a few images, most of them of one class."""
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 12, count)
    groups = np.repeat(np.arange(count), sizes)
    usual = random.integers(classes, size=count)[groups]
    return np.where(random.random(len(groups)) < 0.8, usual, random.integers(classes, size=len(groups))), groups


@pytest.mark.parametrize("split", [validation_split, held_out_test_split])
@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_in_both_parts_and_every_index_is_in_one(split, seed):
    labels, groups = patients(60, seed)
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    train, held = split(labels[shuffled], 0.15, seed, groups[shuffled])
    assert sorted([*train, *held]) == list(range(len(labels)))
    assert not set(groups[shuffled][train]) & set(groups[shuffled][held])
    assert len(held) > 0
    assert list(held) == sorted(held)


@pytest.mark.parametrize("seed", range(5))
def test_with_many_groups_each_class_gives_its_share_within_four_examples(seed):
    labels, groups = patients(200, seed)
    _, held = held_out_test_split(labels, 0.15, seed, groups)
    given, wanted = np.bincount(labels[held], minlength=3), 0.15 * np.bincount(labels)
    assert np.abs(given - wanted).max() <= 4, (given, wanted)


@pytest.mark.parametrize("seed", range(8))
def test_with_few_groups_it_is_among_the_best_of_all_ways_to_choose(seed):
    labels, groups = patients(10, seed, classes=2)
    table = np.array([[np.sum((groups == group) & (labels == label)) for label in (0, 1)] for group in range(10)])
    totals = table.sum(axis=0)

    def off(chosen):
        return float((((table[list(chosen)].sum(axis=0) - 0.3 * totals) ** 2) / totals).sum())

    _, held = held_out_test_split(labels, 0.3, seed, groups)
    possible = [off(each) for size in range(1, 8) for each in itertools.combinations(range(10), size)]
    assert np.mean(np.array(possible) < off(set(groups[held])) - 1e-9) < 0.03


def test_groups_of_one_give_each_class_its_rounded_share():
    _, held = validation_split(LABELS, 0.1, 0, np.arange(100))
    assert np.bincount(LABELS[held]).tolist() == [5, 3, 2]


def test_a_grouped_split_depends_on_the_seed_and_not_on_what_groups_are_called():
    labels, groups = patients(60)
    held = [held_out_test_split(labels, 0.15, seed, groups)[1].tolist() for seed in (0, 0, 1)]
    assert held[0] == held[1] != held[2]
    names = numbered([f"{97 * group % 61}" for group in groups])
    assert held_out_test_split(labels, 0.15, 0, names)[1].tolist() == held[0]
    assert numbered(["b", "a", "b", "c"]).tolist() == [0, 1, 0, 2]


def test_large_groups_are_not_always_the_ones_that_are_taken():
    labels, groups = patients(60)
    sizes = np.bincount(groups)
    means = [sizes[np.unique(groups[held_out_test_split(labels, 0.2, seed, groups)[1]])].mean() for seed in range(20)]
    assert abs(np.mean(means) - sizes.mean()) < 1


def test_a_class_that_one_group_alone_has_stays_in_train():
    labels, groups = np.array([0] * 20 + [1] * 5), np.array([*range(20), *[20] * 5])
    for seed in range(10):
        for fraction in (0.4, 0.8):
            assert 1 in labels[validation_split(labels, fraction, seed, groups)[0]]
            assert 1 not in labels[validation_split(labels, fraction, seed, groups)[1]]


def test_groups_too_large_for_the_share_give_the_smallest_that_leaves_half():
    labels, groups = np.tile([0, 1], 50), np.repeat([0, 1, 2], [50, 30, 20])
    assert set(groups[validation_split(labels, 0.01, 0, groups)[1]]) == {2}
    assert len(validation_split(labels, 0.1, 0, np.zeros(100, int))[1]) == 0
    alone = np.where((np.arange(100) >= 80) & (np.arange(100) < 90), 2, labels)  # a class that the last 20 have alone
    assert len(validation_split(alone, 0.1, 0, np.repeat([0, 1], [80, 20]))[1]) == 0
    assert len(validation_split(labels, 0, 0, groups)[1]) == 0


def test_no_examples_in_no_groups_give_empty_parts():
    empty = np.array([], dtype=np.int64)
    assert [len(part) for part in validation_split(empty, 0.1, 0, empty)] == [0, 0]
