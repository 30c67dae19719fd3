"""What a data card says: everything that is counted, measured and found in a prepared store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from image_classifier import randomness
from image_classifier.data.duplicates import Duplicates, duplicates
from image_classifier.data.examples import Labels, Pixels, shown
from image_classifier.data.features import Features, image_features, row_features
from image_classifier.data.measures import measures
from image_classifier.data.store import SPLITS, Split, Store
from image_classifier.data_card.photo_features import photo_features
from image_classifier.evaluation.labels import Suspicion, out_of_fold, suspicion

Values = npt.NDArray[Any]

MEASURES = ("brightness", "contrast", "sharpness", "colour")
# Larger data sets are measured and judged by a random part: seconds and about half a gigabyte.
_MOST_MEASURED = 20_000
_MOST_JUDGED = 60_000
_MOST_PROBABILITIES = 60_000_000
# Where the model that judges labels agrees with fewer of them, most of those in doubt are right.
_TELLING = 0.85


@dataclass(frozen=True, eq=False)
class Example:
    """One example, by its place: the split, its row there, its class and the file it came from."""

    split: str
    row: int
    label: int
    name: str


@dataclass(frozen=True, eq=False)
class Quantity:
    """Something that each example has, as values by split; texts are categories."""

    name: str
    values: Mapping[str, Values]


@dataclass(frozen=True, eq=False)
class Content:
    """What was found; examples are counted through all splits."""

    store: Store
    labels: Labels
    starts: Mapping[str, int]
    duplicates: Duplicates
    quantities: Sequence[Quantity]
    judged: Labels
    suspicion: Suspicion  # of the judged ones
    agreement: float  # the share of them whose label is the likeliest class

    @property
    def noun(self) -> str:
        """What the examples are called."""
        return "images" if self.store.columns is None else "rows"

    @property
    def telling(self) -> bool:
        """Whether the labels in doubt are worth counting."""
        return self.agreement >= _TELLING

    def split_of(self, number: int) -> str:
        """The split that the example is in."""
        return max((start, split) for split, start in self.starts.items() if number >= start)[1]

    def example(self, number: int) -> Example:
        """The example with that number."""
        split = self.split_of(number)
        row = int(number) - self.starts[split]
        names = self.store.splits[split].names
        return Example(split, row, int(self.labels[number]), shown(names[row]) if names else f"{split} {row}")


def content(store: Store) -> Content:
    """Everything that the card of a prepared store says."""
    splits = {name: store.splits[name] for name in SPLITS if name in store.splits}
    parts = [split.inputs for split in splits.values()]
    labels = np.concatenate([split.labels for split in splits.values()])
    ends = np.cumsum([len(part) for part in parts])
    starts = {name: int(end) - len(part) for name, end, part in zip(splits, ends, parts, strict=True)}
    found = duplicates(parts, images=store.columns is None)
    judged = _some(len(labels), min(_MOST_JUDGED, _MOST_PROBABILITIES // len(store.classes)), "judged")
    chosen, groups = labels[judged], found.near[judged]
    probabilities = out_of_fold(_features(store, splits, judged), chosen, groups, len(store.classes))
    doubts = suspicion(probabilities, chosen, groups)
    agreement = float((probabilities.argmax(axis=1) == chosen).mean())
    quantities = _of_images(splits) if store.columns is None else _of_rows(store, splits)
    return Content(store, labels, starts, found, quantities, judged, doubts, agreement)


def _some(count: int, most: int, purpose: str) -> Labels:
    """All numbers below `count`, or so many of them at random, in order."""
    if count <= most:
        return np.arange(count)
    return np.sort(randomness.order(randomness.key(0, purpose), count)[:most])


def _features(store: Store, splits: Mapping[str, Split], judged: Labels) -> Features:
    """What the labels are judged by."""
    ends = np.cumsum([len(split.labels) for split in splits.values()])
    rows = [part - start for part, start in zip(np.split(judged, np.searchsorted(judged, ends[:-1])),
                                                [0, *ends[:-1]], strict=True)]  # fmt: skip
    parts = [
        split.inputs if len(chosen) == len(split.labels) else split.inputs[chosen]
        for split, chosen in zip(splits.values(), rows, strict=True)
    ]
    if store.columns is None:
        images = cast("list[Pixels]", parts)
        found = [each for each in (image_features(images), photo_features(images)) if each is not None]
        return np.concatenate(found, axis=1)
    return row_features(parts, store.columns)  # type: ignore[arg-type]


def _of_images(splits: Mapping[str, Split]) -> list[Quantity]:
    chosen = {name: _some(len(split.labels), _MOST_MEASURED, "measured") for name, split in splits.items()}
    found = {
        name: measures(split.inputs if len(chosen[name]) == len(split.labels) else split.inputs[chosen[name]])  # type: ignore[arg-type]
        for name, split in splits.items()
    }
    quantities = [Quantity(name, {split: getattr(each, name) for split, each in found.items()}) for name in MEASURES]
    sizes = {name: split.sizes for name, split in splits.items() if split.sizes is not None}
    if sizes:
        quantities.append(Quantity("height in pixels", {name: each[:, 0] for name, each in sizes.items()}))
        quantities.append(Quantity("width in pixels", {name: each[:, 1] for name, each in sizes.items()}))
    return [each for each in quantities if any(np.ptp(part) > 0 for part in each.values.values())]


def _of_rows(store: Store, splits: Mapping[str, Split]) -> list[Quantity]:
    quantities, start = [], 0
    for column in store.columns or ():
        end = start + len(column.numbers)
        values = {name: np.asarray(split.inputs[:, 0, 0, start:end]) for name, split in splits.items()}
        if column.categories is None:
            quantities.append(Quantity(column.name, {name: part[:, 0] for name, part in values.items()}))
        else:
            words = np.array([*column.categories, "(none of these)"])
            chosen = {name: words[np.where(part.any(axis=1), part.argmax(axis=1), -1)] for name, part in values.items()}
            quantities.append(Quantity(column.name, chosen))
        start = end
    return quantities
