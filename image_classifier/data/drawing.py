"""The test split: drawn where a source has none, and in either case no group on two sides of it."""

import logging
from collections.abc import Mapping

from image_classifier.data.examples import Examples, Labels, shown
from image_classifier.data.splits import held_out_test_split, numbered
from image_classifier.errors import UserError

TEST_FRACTION = 0.15
_NAMED = 8  # groups or classes that a message names
_logger = logging.getLogger(__name__)


def with_drawn_test(
    classes: tuple[str, ...], examples: Mapping[str, Examples], seed: int, name: str
) -> dict[str, Examples]:
    """The examples with a test split that is drawn from those of train."""
    everything = examples["train"]
    groups = None if everything.groups is None else numbered(everything.groups)
    train, test = held_out_test_split(everything.labels, TEST_FRACTION, seed, groups)
    if not len(test):
        raise _too_few(everything, name)
    if groups is not None:
        _tell_untested(classes, everything, test)
    return {**examples, "train": everything.take(train), "test": everything.take(test)}


def refuse_divided_groups(examples: Mapping[str, Examples], name: str) -> None:
    """Refuse splits of which two have examples of one group."""
    groups = {split: set(part.groups) for split, part in examples.items() if part.groups is not None}
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        divided = sorted(groups.get(one, set()) & groups.get(other, set()))
        if divided:
            raise UserError(
                f"{len(divided)} groups of {name} are in {one} and in {other}: {_few(divided)}",
                "what belongs together may stand in one split only: correct the splits, or leave them out to have them "
                "drawn by group",
            )


def _too_few(everything: Examples, name: str) -> UserError:
    if everything.groups is None:
        return UserError(
            f"{name} has {len(everything.labels)} examples: too few to set {TEST_FRACTION:.0%} aside for the test",
            "add examples; images may come with a test/ folder beside train/",
        )
    count = len(set(everything.groups))
    return UserError(
        f"{name} has {len(everything.labels)} examples in {count} groups: none can be set aside for the test",
        "each class needs two groups or more, and no group more than half of the examples",
    )


def _tell_untested(classes: tuple[str, ...], everything: Examples, test: Labels) -> None:
    left_out = sorted(set(everything.labels.tolist()) - set(everything.labels[test].tolist()))
    if left_out:
        _logger.warning("no test example of %s: too few groups have it", _few([classes[number] for number in left_out]))


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(shown, names[:_NAMED])) + more
