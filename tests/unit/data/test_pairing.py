"""Examples of two versions are paired once each, and read a few at a time across the splits."""

from pathlib import Path

import numpy as np

from image_classifier.data.pairing import VersionExamples, changed, paired
from image_classifier.data.store import Split, Store


def examples(values, names=None):
    """The examples of a store with these values and a nought each; the last third of them are its test split."""
    inputs = np.stack([np.array(values, np.uint8), np.zeros(len(values), np.uint8)], 1).reshape(-1, 1, 1, 2)
    cut = len(values) * 2 // 3
    splits = {
        split: Split(inputs[part], np.zeros(len(inputs[part]), np.int64), None if names is None else tuple(names[part]))
        for split, part in (("train", slice(cut)), ("test", slice(cut, None)))
    }
    return VersionExamples(Store(Path(), ("a", "b"), (1, 1, 1), (0.0,), (1.0,), "", splits, 0, None, draws_test=False))


def test_inputs_come_in_the_order_in_which_they_are_asked_for_from_all_splits():
    found = examples(range(90))
    assert found.inputs([80, 3, 59, 60, 3])[:, 0, 0, 0].tolist() == [80, 3, 59, 60, 3]
    assert (found.split(59), found.split(60)) == ("train", "test")
    assert len(set(found.contents(range(90)))) == 90


def test_a_thousand_changed_examples_are_found_wherever_they_stand():
    random = np.random.default_rng(0)
    values = random.integers(0, 256, 3000)
    names = [f"{number}.png" for number in range(3000)]
    order = random.permutation(3000)
    other = values.copy()
    other[:1000] = 255 - other[:1000]  # never the same: 255 is odd
    old = examples(values, names)
    new = examples(other[order], [names[at] for at in order])
    found = paired(old, new, comparable=True)
    assert sorted(a for a, _ in found.by_name) == sorted(b for _, b in found.by_name) == list(range(3000))
    assert sorted(a for a, _ in changed(old, new, found.by_name)) == list(range(1000))


def test_neither_names_nor_contents_pair_nothing():
    assert paired(examples([1, 2, 3]), examples([1, 2, 3]), comparable=False) is None
    assert examples([1, 2, 3], ["x", "x", "y"]).names is None, "a name of two examples is none"
