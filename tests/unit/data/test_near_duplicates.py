"""Copies in another compression, exposure or size are found, and other images of their kind are not."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_digits

from image_classifier.data.measures import luma
from image_classifier.data.near_duplicates import near_duplicates

pytestmark = pytest.mark.unit


def textures(count, shape=(32, 32, 3), seed=0):
    """Images of one family: the same kind of smooth noise."""
    random = np.random.default_rng([seed, *shape])
    drawn = ndimage.gaussian_filter(random.normal(size=(count, *shape)), (0, 2.5, 2.5, 0))
    return np.clip(128 + 40 * drawn / drawn.std(), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def known():
    return textures(300)


def compressed(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "jpeg", quality=60)
    return np.asarray(Image.open(stream))


def resized(image):
    small = Image.fromarray(image).resize((27, 29), Image.Resampling.BICUBIC)
    return np.asarray(small.resize((32, 32), Image.Resampling.BICUBIC))


CHANGES = {
    "the same": lambda image: image,
    "JPEG of quality 60": compressed,
    "brighter": lambda image: np.clip(image * 1.15 + 12, 0, 255).astype(np.uint8),
    "darker": lambda image: (image * 0.6).astype(np.uint8),
    "smaller and back": resized,
    "gray": lambda image: luma(image[None])[0][..., None].repeat(3, axis=2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_others_of_its_family_are_not(known, change):
    others = textures(60, seed=1)
    copied = np.arange(60) % 3 == 0
    images = np.stack([CHANGES[change](known[n]) if copied[n] else others[n] for n in range(60)])
    assert near_duplicates(images, known).tolist() == copied.tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image[:, ::-1],
        lambda image: 255 - image,
        lambda image: np.roll(image, 8, axis=0),
        np.rot90,
    ],
    ids=["mirrored", "negative", "moved", "turned"],
)
def test_what_looks_otherwise_is_no_near_duplicate(known, change):
    assert not near_duplicates(np.stack([change(image) for image in known[:40]]), known).any()


def test_flat_images_are_near_duplicates_of_none_and_hide_none(known):
    flat = np.arange(0, 250, 10, dtype=np.uint8)[:, None, None, None] + np.zeros((25, 32, 32, 3), np.uint8)
    flat[:, 16:] += 2  # a deviation of one gray level
    assert not near_duplicates(flat, flat).any()
    assert not near_duplicates(flat, known).any()
    assert not near_duplicates(known, flat).any()
    both = np.concatenate([flat, known])
    assert near_duplicates(both, both).tolist() == [False] * 25 + [True] * 300


def test_images_that_differ_in_what_is_smaller_than_a_field_are_none(known):
    random = np.random.default_rng(4)
    smooth = known[:50].reshape(50, 8, 4, 8, 4, 3).mean(axis=(2, 4), keepdims=True) * 0.5 + 64

    def with_detail(strength):
        detail = strength * random.choice([-1, 1], (50, 8, 2, 2, 8, 2, 2, 1))
        detail[:, :, :, 1], detail[..., 1, :] = -detail[:, :, :, 0], -detail[..., 0, :]  # each field sums to nought
        return (smooth + detail.reshape(50, 8, 4, 8, 4, 1)).reshape(50, 32, 32, 3).astype(np.uint8)

    assert near_duplicates(with_detail(1), with_detail(1)).all()
    assert not near_duplicates(with_detail(6), with_detail(6)).any()


def searched_one_by_one(images, others):
    """Near-duplicates by the definition: the 8 × 8 gray fields, then all pixels, of each image with each other."""
    fields = []
    for each in (images, others):
        gray = luma(each).astype(float)
        blocks = [[part.mean(axis=(1, 2)) for part in np.array_split(row, 8, 2)] for row in np.array_split(gray, 8, 1)]
        told = np.stack([field for row in blocks for field in row], axis=1)
        told -= told.mean(axis=1, keepdims=True)
        fields.append(told / np.sqrt((told**2).sum(axis=1, keepdims=True)))
    near = fields[0] @ fields[1].T >= 1 - 0.15**2 / 2
    pixels = [luma(each).reshape(len(each), -1) for each in (images, others)]
    return [
        any(np.corrcoef(pixels[0][i], pixels[1][j])[0, 1] >= 0.9 for j in np.flatnonzero(near[i]))
        for i in range(len(images))
    ]


def test_the_search_finds_what_comparing_all_with_all_finds(known):
    random = np.random.default_rng(2)
    # Mixed with another image: from nearly the same to half of it.
    share = np.linspace(0.5, 1, 200)[:, None, None, None]
    mixed = np.round(share * known[:200] + (1 - share) * textures(200, seed=3)).astype(np.uint8)
    images = np.clip(mixed + random.integers(0, 20, mixed.shape), 0, 255).astype(np.uint8)
    truth = searched_one_by_one(images, known)
    assert 40 < sum(truth) < 160
    assert near_duplicates(images, known).tolist() == truth


def test_digits_of_8_by_8_pixels_are_compared():
    digits = (load_digits().images * 15.9).astype(np.uint8)[..., None]
    known, other = digits[:900], digits[900:1100]
    noisy = np.clip(known[:100].astype(int) + np.random.default_rng(0).integers(-3, 4, (100, 8, 8, 1)), 0, 255)
    assert near_duplicates(noisy.astype(np.uint8), known).all()
    found = near_duplicates(other, known)
    assert found.tolist() == searched_one_by_one(other, known)
    assert found.sum() < 10


@pytest.mark.parametrize("shape", [(5, 7, 3), (3, 40, 1), (13, 9, 1), (30, 31, 3)], ids=str)
def test_odd_and_small_sizes_are_compared(shape):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (50, *shape), dtype=np.uint8)
    assert near_duplicates(images, images[::-1]).all()
    assert not near_duplicates(images, random.integers(0, 256, (50, *shape), dtype=np.uint8)).any()


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 1), (9, 1, 3)], ids=str)
def test_a_pixel_or_a_line_is_no_picture(shape):
    images = np.random.default_rng(0).integers(0, 256, (50, *shape), dtype=np.uint8)
    assert near_duplicates(images, images).tolist() == [False] * 50


def test_one_image_may_be_compared_with_one(known):
    assert near_duplicates(known[:1], known[:1]).tolist() == [True]
    assert near_duplicates(known[:1], known[1:2]).tolist() == [False]
