"""Tests of the augmentation against numpy, one image at a time."""

import numpy as np
import pytest
import torch

from image_classifier.data.augmentation import Augmentation, Draws, cut_out, draw, moved
from image_classifier.errors import UserError

EXAMPLES = np.arange(2000)


def pixels(count=16, height=7, width=9, channels=3):
    random = np.random.default_rng(0)
    return torch.from_numpy(random.integers(0, 256, (count, height, width, channels), np.uint8))


def one_by_one(images, draws, translate):
    """The slow truth: flip, pad by reflection, crop."""
    result = []
    for number, image in enumerate(images.numpy()):
        turned = image[:, ::-1] if draws.flip is not None and draws.flip[number] else image
        wide = np.pad(turned, ((translate, translate), (translate, translate), (0, 0)), mode="reflect")
        top, left = (int(draws.down[number]), int(draws.right[number])) if translate else (0, 0)
        result.append(wide[top : top + image.shape[0], left : left + image.shape[1]])
    return np.stack(result)


@pytest.mark.parametrize("translate", [0, 1, 2, 6])
@pytest.mark.parametrize("flip", ["none", "random", "alternating"])
@pytest.mark.parametrize("channels", [1, 3])
def test_flipping_and_shifting_equal_numpy_one_image_at_a_time(flip, translate, channels):
    images = pixels(200, channels=channels)
    draws = draw(Augmentation(flip, translate, 0), (7, 9), 5, 3, np.arange(200))
    assert np.array_equal(moved(images, draws, translate), one_by_one(images, draws, translate))


def test_every_shift_in_every_direction_occurs_about_as_often_as_the_others():
    draws = draw(Augmentation("none", 2, 0), (32, 32), 0, 0, np.arange(25_000))
    counts = np.bincount(draws.down.numpy() * 5 + draws.right.numpy(), minlength=25)
    # 25 cells of 1000 expected: chi-squared with 24 degrees of freedom is under 51 in 99.9 % of cases.
    assert ((counts - 1000) ** 2 / 1000).sum() < 51


def test_about_half_of_the_images_are_flipped_and_different_ones_each_epoch():
    first, second = (draw(Augmentation("random", 0, 0), (8, 8), 0, epoch, EXAMPLES).flip for epoch in (0, 1))
    assert 900 < first.sum() < 1100
    assert 900 < (first ^ second).sum() < 1100


def test_an_alternating_flip_shows_each_image_from_the_other_side_in_the_next_epoch():
    sides = [draw(Augmentation("alternating", 0, 0), (8, 8), 0, epoch, EXAMPLES).flip for epoch in range(4)]
    assert 900 < sides[0].sum() < 1100
    assert torch.equal(sides[1], ~sides[0])
    assert torch.equal(sides[2], sides[0])
    assert torch.equal(sides[3], sides[1])


@pytest.mark.parametrize("what", [Augmentation("random", 2, 3), Augmentation("alternating", 1, 0)])
def test_draws_depend_on_seed_and_epoch_and_example_and_not_on_company(what):
    def drawn(seed, epoch, examples):
        draws = draw(what, (8, 8), seed, epoch, examples)
        return torch.stack([value.long() for value in vars(draws).values() if value is not None])

    everything = drawn(1, 2, EXAMPLES)
    chosen = np.array([1999, 5, 700])
    assert torch.equal(drawn(1, 2, chosen), everything[:, chosen])
    assert not torch.equal(drawn(2, 2, EXAMPLES), everything)
    assert not torch.equal(drawn(1, 3, EXAMPLES), everything)
    assert not torch.equal(drawn(2, 1, EXAMPLES), everything)


def test_nothing_is_drawn_when_nothing_is_done():
    assert set(vars(draw(Augmentation(), (8, 8), 0, 0, EXAMPLES)).values()) == {None}


def test_a_cutout_sets_exactly_the_square_to_zero():
    images = torch.ones(2, 6, 7, 3)
    draws = Draws(None, None, None, torch.tensor([0, 3]), torch.tensor([4, 1]))
    cut_out(images, draws, 3)
    expected = np.ones((2, 6, 7, 3))
    expected[0, 0:3, 4:7] = 0
    expected[1, 3:6, 1:4] = 0
    assert np.array_equal(images, expected)


def test_a_cutout_lies_inside_the_image_and_reaches_its_borders():
    draws = draw(Augmentation("none", 0, 3), (6, 7), 0, 0, EXAMPLES)
    assert (draws.top.min(), draws.top.max()) == (0, 3)
    assert (draws.left.min(), draws.left.max()) == (0, 4)


@pytest.mark.parametrize(
    ("what", "named"),
    [
        (Augmentation("sideways", 0, 0), "flip is 'sideways'"),
        (Augmentation("none", 8, 0), "translate is 8 and the images are 8 x 9 pixels"),
        (Augmentation("none", -1, 0), "translate is -1"),
        (Augmentation("none", 0, 8), "cutout is 8"),
    ],
)
def test_what_does_not_fit_the_images_is_refused(what, named):
    with pytest.raises(UserError, match=named):
        what.check(8, 9)


def test_the_largest_shift_and_cutout_that_fit_are_accepted():
    Augmentation("random", 7, 7).check(8, 9)
