"""Frequent item sets, against mlxtend's, against counting one by one, and against SliceLine for its own score."""

import itertools

import numpy as np
import pandas as pd
import pytest
from mlxtend.frequent_patterns import apriori, fpgrowth
from sliceline.slicefinder import Slicefinder

from image_classifier.evaluation.itemsets import counted, frequent, packed

pytestmark = pytest.mark.unit


def marked(seed, items, examples, share):
    """Random marks; later items lean on earlier ones, so that some sets of three are frequent."""
    random = np.random.default_rng(seed)
    marks = random.random((items, examples)) < share
    for item in range(2, items):
        marks[item] |= (random.random(examples) < 0.3) & marks[item - 1] & marks[item - 2]
    return marks


@pytest.mark.parametrize("peer", [apriori, fpgrowth])
@pytest.mark.parametrize(
    ("items", "examples", "share", "least"),
    [(12, 1000, 0.3, 50), (30, 700, 0.25, 20), (5, 64, 0.5, 8), (9, 63, 0.4, 5), (7, 65, 0.4, 1), (20, 300, 0.25, 10)],
)
def test_the_sets_and_their_supports_are_mlxtends(peer, items, examples, share, least):
    marks = marked([items, examples], items, examples, share)
    found = frequent(marks, least)
    # Half a count less: a support is a float, and what has just enough is frequent.
    truth = peer(pd.DataFrame(marks.T), min_support=(least - 0.5) / examples, max_len=3)
    expected = {tuple(sorted(each)): round(support * examples) for support, each in truth.itertuples(index=False)}
    assert dict(zip(found.sets, found.counts[:, 0].tolist(), strict=True)) == expected
    assert found.longest == 3
    assert {len(each) for each in found.sets} == {1, 2, 3}


def test_sets_are_counted_inside_each_mask_as_counting_one_by_one_does():
    marks = marked(4, 8, 517, 0.4)
    masks = list(np.random.default_rng(5).random((3, 517)) < 0.5)
    found = frequent(marks, 30, masks)
    assert found.counts.shape == (len(found.sets), 4)
    assert len(found.sets) == len(set(found.sets)) > 40
    for each, counts in zip(found.sets, found.counts, strict=True):
        members = [all(marks[item, example] for item in each) for example in range(517)]
        assert counts.tolist() == [sum(members), *(sum(np.array(members) & mask) for mask in masks)]


def test_shorter_sets_come_first_and_items_stand_in_their_order():
    sets = frequent(marked(6, 10, 300, 0.5), 20).sets
    assert [len(each) for each in sets] == sorted(len(each) for each in sets)
    assert all(list(each) == sorted(set(each)) for each in sets)


@pytest.mark.parametrize(("seed", "alpha"), [(0, 0.95), (1, 0.95), (2, 0.8), (3, 1.0)])
def test_the_best_slices_by_slicelines_score_are_slicelines(seed, alpha):
    random = np.random.default_rng(seed)
    values = np.stack([random.integers(1, most + 1, 2000) for most in (2, 3, 4, 5, 3)], axis=1)
    planted = (values[:, 0] == 1) & (values[:, 3] == 2)
    wrong = random.random(2000) < np.where(planted, 0.4, 0.1)
    names = [(column, value) for column in range(5) for value in np.unique(values[:, column])]
    found = frequent(np.stack([values[:, column] == value for column, value in names]), 40, [wrong])
    size, errors = found.counts.T
    scores = alpha * ((errors / size) / wrong.mean() - 1) - (1 - alpha) * (2000 / size - 1)

    peer = Slicefinder(alpha=alpha, k=10, max_l=3, min_sup=40, verbose=False)
    peer.fit(values, wrong.astype(float))
    theirs = {
        tuple((column, value) for column, value in enumerate(row) if value is not None): round(
            figures["slice_score"], 9
        )
        for row, figures in zip(peer.top_slices_, peer.top_slices_statistics_, strict=True)
    }
    # They list scores above 0 only, and what ties with the tenth too.
    last = max(sorted(scores)[-10], 1e-9) - 1e-9
    ours = {
        tuple(names[item] for item in found.sets[index]): round(float(scores[index]), 9)
        for index in np.flatnonzero(scores >= last)
    }
    assert ours == theirs
    assert {(0, 1), (3, 2)} & set(max(ours, key=ours.get))


@pytest.mark.parametrize(("most", "longest"), [(100, 2), (50, 1)])  # there are 66 pairs
def test_where_sets_are_too_many_to_look_at_they_have_fewer_items(monkeypatch, most, longest):
    marks = marked(7, 12, 400, 0.5)
    whole = frequent(marks, 20)
    monkeypatch.setattr("image_classifier.evaluation.itemsets._MOST_CANDIDATES", most)
    short = frequent(marks, 20)
    assert (whole.longest, short.longest) == (3, longest)
    assert short.sets == [each for each in whole.sets if len(each) <= longest]
    assert short.counts.tolist() == whole.counts[: len(short.sets)].tolist()


@pytest.mark.parametrize("shape", [(3, 30), (0, 100), (3, 0), (1, 49)])
def test_where_no_item_is_frequent_there_are_no_sets(shape):
    found = frequent(np.ones(shape, bool), 50, [np.ones(shape[1], bool)])
    assert (found.sets, found.counts.shape, found.longest) == ([], (0, 2), 3)


def test_one_item_of_just_enough_examples_is_a_set_and_of_one_fewer_is_none():
    marks = np.zeros((2, 200), bool)
    marks[0, :50] = marks[1, 100:149] = True
    assert frequent(marks, 50).sets == [(0,)]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 500])
def test_packed_marks_are_counted_and_combined_as_marks(count):
    one, other = np.random.default_rng(count).random((2, 3, count)) < 0.5
    for combine, truth in ((packed(one) & packed(other), one & other), (packed(one) & ~packed(other), one & ~other)):
        assert counted(combine).tolist() == truth.sum(axis=1).tolist()


def test_every_set_of_three_is_looked_at_where_all_are_frequent():
    found = frequent(np.ones((7, 60), bool), 60)
    assert found.sets == [each for length in (1, 2, 3) for each in itertools.combinations(range(7), length)]
