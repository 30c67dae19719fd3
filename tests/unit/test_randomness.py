"""Random numbers are functions of their names, spread evenly and independent of each other."""

import numpy as np
import pytest

from image_classifier import randomness

pytestmark = pytest.mark.unit


def test_bits_are_splitmix64s():
    """The reference implementation's first outputs for the seed 1234567."""
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    found = randomness.bits(1234567, np.arange(1, 6))
    assert found.tolist() == expected


def test_keys_of_different_positions_do_not_collide():
    keys = {
        randomness.key(seed, what, epoch) for seed in range(40) for what in ("order", "flip") for epoch in range(40)
    }
    assert len(keys) == 40 * 2 * 40
    assert randomness.key(0, "order", 1) != randomness.key(1, "order", 0)
    assert randomness.key(1, "order", 11) != randomness.key(1, "order", 1, 1)


def test_an_items_bits_do_not_depend_on_the_company():
    whole = randomness.bits(5, np.arange(100))
    assert (randomness.bits(5, np.array([42, 7])) == whole[[42, 7]]).all()


def test_integers_are_spread_evenly():
    counts = np.bincount(randomness.below(7, randomness.bits(1, np.arange(70_000))), minlength=8)
    assert counts[7] == 0
    assert abs(counts[:7] - 10_000).max() < 400


def test_an_order_holds_every_item_once_and_differs_by_key():
    first, second = randomness.order(1, 1000), randomness.order(2, 1000)
    assert sorted(first.tolist()) == list(range(1000))
    assert (first == second).sum() < 10
    assert abs(np.corrcoef(first, np.arange(1000))[0, 1]) < 0.1
