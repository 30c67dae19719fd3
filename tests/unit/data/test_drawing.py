"""The test split of data without one, and groups that stand on two sides of a split."""

import numpy as np
import pytest

from image_classifier.data.drawing import TEST_FRACTION, refuse_divided_groups, with_drawn_test
from image_classifier.data.examples import Examples
from image_classifier.errors import UserError

CLASSES = ("a", "b")


def examples(count, groups=None):
    labels = np.arange(count) % 2
    images = np.arange(count, dtype=np.uint8)[:, None, None, None]
    return Examples(labels, images, tuple(map(str, range(count))), groups)


def test_every_example_is_in_one_split_with_its_label_name_and_group():
    groups = tuple(f"g{number // 3}" for number in range(60))
    parts = with_drawn_test(CLASSES, {"train": examples(60, groups)}, 0, "it")
    assert list(parts) == ["train", "test"]
    assert len(parts["test"].labels) == round(TEST_FRACTION * 60)
    for part in parts.values():
        numbers = [int(name) for name in part.names]
        assert part.images.ravel().tolist() == numbers
        assert part.labels.tolist() == [number % 2 for number in numbers]
        assert part.groups == tuple(f"g{number // 3}" for number in numbers)
    assert not set(parts["train"].groups) & set(parts["test"].groups)
    assert sorted(int(name) for part in parts.values() for name in part.names) == list(range(60))


def test_a_validation_split_of_the_source_s_own_stays_as_it_is():
    val = examples(6)
    assert with_drawn_test(CLASSES, {"train": examples(40), "val": val}, 0, "it")["val"] is val


def test_too_few_examples_or_groups_are_refused():
    with pytest.raises(UserError, match="it has 3 examples: too few to set 15% aside"):
        with_drawn_test(CLASSES, {"train": examples(3)}, 0, "it")
    with pytest.raises(UserError, match="it has 40 examples in 1 groups: none can be set aside"):
        with_drawn_test(CLASSES, {"train": examples(40, ("one",) * 40)}, 0, "it")


@pytest.mark.parametrize(("one", "other"), [("train", "test"), ("train", "val"), ("val", "test")])
def test_a_group_in_two_splits_is_refused_and_some_of_many_are_named(one, other):
    own = {name: examples(20, tuple(f"{name}{number}" for number in range(20))) for name in ("train", "val", "test")}
    refuse_divided_groups(own, "it")
    own[other] = examples(20, (*own[one].groups[:12], *own[other].groups[12:]))
    with pytest.raises(UserError, match=f"12 groups of it are in {one} and in {other}: {one}0, .* and 4 more"):
        refuse_divided_groups(own, "it")


def test_examples_without_groups_are_never_refused():
    refuse_divided_groups({"train": examples(4), "test": examples(4)}, "it")
