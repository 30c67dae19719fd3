"""Warnings of a test split that was drawn at random from images that belong together: their names or copies say so."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple, cast

from image_classifier.data.examples import Pixels
from image_classifier.data.near_duplicates import near_duplicates
from image_classifier.data.store import Store

# A word that people number patients, cameras and the like with, and the number.
_NUMBERED = re.compile(
    r"(?<![a-z])(patient|pat|subject|subj|sub|person|donor|case|study|exam|scan|volume|slide|specimen|animal|plant|clip"
    r"|video|vid|movie|sequence|seq|burst|session|scene|camera|cam)[-_ ]?([a-z]{0,2}\d+)(?!\d)",
    re.IGNORECASE,
)
# A last number that something stands before: IMG_20240131_120000_BURST002, 00012_00029, anna (3).
_COUNTED = re.compile(r"(.*[^\W_].*?[-_ .(]\D*?|.*[^\W_].*/)(\d+)\)?")
_FEWEST_NAMED, _FEWEST = 5, 20  # groups, with such a word and without one; fewer may be kinds, places, years
_OF_EACH_CLASS = 3  # so many groups: names that tell the class, as cat_001, make one group of each
_SHARED = 0.5  # of the images are in groups of two or more, and of the test images in groups that train has too
_SPARSE = 30  # times as wide as a group may be the numbers in it: times of day are wider, and show no kinship
_DENSE = 0.8  # of the groups must be denser than that
_FEWEST_TEST = 5
# Copies make nearly all test images near-duplicates; 2.1 % have one among 4,000 of MNIST's, 0.5 % of CIFAR-10's.
_COPIES = 0.2
_SMALLEST_SIDE, _MOST_BYTES = 16, 2_000_000_000
_logger = logging.getLogger(__name__)
_ADVICE = "the accuracy will look better than it is; --group_column of a manifest keeps what belongs together together"


class _Kin(NamedTuple):
    """What an image's name says it belongs to, and its number in there."""

    group: str
    number: int


def warn(store: Store, *, is_new: bool) -> None:
    """Say what betrays that a random split divided what belongs together; pixels are compared in a new store only."""
    train, test = store.splits["train"], store.splits["test"]
    if not store.draws_test or store.columns is not None or train.groups is not None:
        return
    if train.names and test.names:
        related = kin_of_test(train.names, test.names, len(store.classes))
        if related:
            one, other = related[0]
            count = len(test.names)
            _logger.warning(
                "by their names %d of %d test images belong to training images, as %s to %s: %s",
                len(related), count, one, other, _ADVICE,
            )  # fmt: skip
            return
    if is_new and min(store.shape[:2]) >= _SMALLEST_SIDE and train.inputs.nbytes <= _MOST_BYTES:
        copies = int(near_duplicates(cast("Pixels", test.inputs), cast("Pixels", train.inputs)).sum())
        if copies >= max(_FEWEST_TEST, _COPIES * len(test.labels)):
            _logger.warning("%d of %d test images nearly equal a training image: %s", copies, len(test.labels), _ADVICE)


def kin_of_test(train: Sequence[str], test: Sequence[str], classes: int) -> list[tuple[str, str]]:
    """The test images that belong to a training image by their names, each with one; none if names tell no groups."""
    for kin, fewest in ((_by_word, _FEWEST_NAMED), (_by_count, _FEWEST)):
        known = [kin(name) for name in (*train, *test)]
        if _are_groups([each for each in known if each], len(known), max(fewest, _OF_EACH_CLASS * classes)):
            first = {each.group: name for each, name in zip(known, train, strict=False) if each}
            found = [(name, each.group) for name, each in zip(test, known[len(train) :], strict=True) if each]
            related = [(name, first[group]) for name, group in found if group in first]
            if len(related) >= max(_FEWEST_TEST, _SHARED * len(test)):
                return related
    return []


def _by_word(name: str) -> _Kin | None:
    found = _NUMBERED.search(name)
    return _Kin(found.group().casefold(), 0) if found else None


def _by_count(name: str) -> _Kin | None:
    stem = re.sub(r"\.\w+$", "", name)
    found = _COUNTED.fullmatch(stem)
    return _Kin(found.group(1), int(found.group(2))) if found else None


def _are_groups(known: list[_Kin], images: int, fewest: int) -> bool:
    """Whether names divide the images into many groups of several, with numbers that count."""
    sizes = Counter(each.group for each in known)
    several = {group: size for group, size in sizes.items() if size > 1}
    if len(sizes) < fewest or sum(several.values()) < _SHARED * images:
        return False
    numbers = defaultdict(list)
    for each in known:
        numbers[each.group].append(each.number)
    dense = [max(numbers[group]) - min(numbers[group]) < _SPARSE * size for group, size in several.items()]
    return sum(dense) >= _DENSE * len(dense)
