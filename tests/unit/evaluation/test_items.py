"""What is said of an example: the part of the training data that a quantity lies in, and its choices."""

import numpy as np
import pytest

from image_classifier.evaluation.items import Choice, Quantity, itemised

pytestmark = pytest.mark.unit

WORDS = ("very dark", "dark", "bright", "very bright")


def parts(found):
    """Which item each example has, where each has one."""
    assert found.marks.sum(axis=0).tolist() == [1] * found.marks.shape[1]
    return found.marks.argmax(axis=0)


def keys(found):
    return [item.key for item in found.items]


def test_quarters_end_at_values_of_the_training_data_that_a_quarter_does_not_exceed():
    train = np.random.default_rng(0).permutation(np.arange(1000))
    found = itemised([Quantity("brightness", train, np.arange(400), WORDS)], 400)
    assert found.edges == {"brightness": [249, 499, 749]}
    assert keys(found) == [f"brightness={part}/4" for part in (1, 2, 3, 4)]
    assert [item.words for item in found.items] == list(WORDS)
    assert np.bincount(parts(found), minlength=4).tolist() == [250, 150, 0, 0]


def test_a_test_split_that_is_shifted_as_a_whole_lies_in_the_outermost_quarter():
    train = np.random.default_rng(1).normal(size=2000)
    above, below = (itemised([Quantity("x", train, train[:500] + shift, WORDS)], 500) for shift in (10, -10))
    assert set(parts(above)) == {3}
    assert set(parts(below)) == {0}
    assert above.edges == below.edges


def test_an_edge_itself_belongs_to_the_part_that_it_ends():
    train = np.repeat([1.0, 2.0, 3.0, 4.0], 100)
    test = np.tile([1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 9.0], 50)
    assert parts(itemised([Quantity("x", train, test)], 400))[:8].tolist() == [0, 1, 1, 2, 2, 3, 3, 3]


@pytest.mark.parametrize(("count", "expected"), [(399, ["x=1/2", "x=2/2"]), (400, [f"x={n}/4" for n in (1, 2, 3, 4)])])
def test_fewer_than_400_examples_are_told_in_halves(count, expected):
    found = itemised([Quantity("x", np.arange(100), np.arange(count), WORDS)], count)
    assert keys(found) == expected
    assert [item.words for item in found.items] == list(WORDS if len(expected) == 4 else WORDS[1:3])
    assert len(found.edges["x"]) == len(expected) - 1


def test_a_quantity_without_words_of_its_own_is_told_by_its_edges():
    found = itemised([Quantity("age", np.arange(1, 101) / 3, np.full(400, 7))], 400)
    assert [item.words for item in found.items] == [
        "age up to 8.33333",
        "age above 8.33333 and up to 16.6667",
        "age above 16.6667 and up to 25",
        "age above 25",
    ]


def test_a_constant_quantity_has_all_examples_in_its_first_part():
    found = itemised([Quantity("x", np.full(50, 3.5), np.full(500, 3.5), WORDS)], 500)
    assert found.edges == {"x": [3.5, 3.5, 3.5]}
    assert set(parts(found)) == {0}


def test_a_single_training_example_is_enough():
    found = itemised([Quantity("x", np.array([2]), np.array([1, 2, 3]), WORDS)], 3)
    assert parts(found).tolist() == [0, 0, 1]


def test_each_example_has_its_choice_and_one_that_is_unknown_has_none():
    choice = Choice("grape", np.array([1, -1, 0, 1]), ["red", "white", "rosé"], ["grape = red", "grape = white", "?"])
    found = itemised([choice], 4)
    assert keys(found) == ["grape=red", "grape=white", "grape=rosé"]
    assert [item.words for item in found.items] == ["grape = red", "grape = white", "?"]
    assert found.marks.tolist() == [[False, False, True, False], [True, False, False, True], [False] * 4]
    assert found.edges == {}


def test_parts_stand_one_after_the_other_and_none_at_all_is_no_item():
    both = [Choice("class", np.zeros(9, int), ["a"], ["class a"]), Quantity("x", np.arange(9), np.arange(9), WORDS)]
    assert keys(itemised(both, 9)) == ["class=a", "x=1/2", "x=2/2"]
    nothing = itemised([], 9)
    assert (list(nothing.items), nothing.marks.shape) == ([], (0, 9))


def test_a_choice_with_fewer_words_than_keys_is_an_error():
    with pytest.raises(ValueError, match="shorter"):
        itemised([Choice("class", np.zeros(9, int), ["a", "b"], ["class a"])], 9)
