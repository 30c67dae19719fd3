"""Where a model fails: what is known of each test example before it is asked, and the sets that are wrong too often."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from image_classifier import files, randomness
from image_classifier.data.measures import measures
from image_classifier.data.near_duplicates import near_duplicates
from image_classifier.data.store import Split, Store
from image_classifier.data.tables import Column
from image_classifier.errors import UserError
from image_classifier.evaluation import error_sets
from image_classifier.evaluation.items import Choice, Quantity, itemised
from image_classifier.evaluation.metrics import Predictions
from image_classifier.runs import Run, formats
from image_classifier.settings.names import ERROR_SETS
from image_classifier.training.results import predictions_of
from image_classifier.visualization import plot
from image_classifier.visualization.plot import MOST_SETS_SHOWN, Example

_QUARTERS = {
    "brightness": ("very dark", "dark", "bright", "very bright"),
    "contrast": ("very low contrast", "low contrast", "high contrast", "very high contrast"),
    "sharpness": ("very blurred", "blurred", "sharp", "very sharp"),
    "colour": ("nearly gray", "pale", "colourful", "very colourful"),
    "border": ("very plain border", "plain border", "varied border", "very varied border"),
    "original size": ("very small file", "small file", "large file", "very large file"),
}
_ASPECTS = ("portrait", "square", "landscape")
_LONGER = 1.1  # from which ratio of the sides an image is no longer called square
_MEASURED = 5000  # training examples that say what is little and what is much

Values = npt.NDArray[Any]


def write_error_sets(measured: Run, store: Store) -> dict[str, Any]:
    """Mine the run's answers on its own test split, and write what was found as JSON, as CSV and as a picture."""
    test = predictions_of(measured.predictions(), "test")
    split = store.splits["test"]
    if test is None or not np.array_equal(test.labels, split.labels):
        raise UserError(
            f"{measured.path('predictions.npz')} is not about the test examples of {store.folder}",
            f"image_classifier evaluate {measured.folder} writes it again",
        )
    report = found(store, test, measured.classes)
    files.write_json(measured.path(ERROR_SETS), report)
    files.write_text(measured.path("error_sets.csv"), formats.error_sets_csv(report))
    shown = [] if store.columns else [
        [Example(split.inputs[number], measured.classes[test.predicted[number]]) for number in each["examples"]]
        for each in report["sets"][:MOST_SETS_SHOWN]
    ]  # fmt: skip
    picture = plot.error_sets_figure(report, shown, measured.noun)
    files.write_bytes(measured.path("error_sets.png"), plot.png(picture))
    return report


def found(store: Store, test: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """The error sets of answers on the test split of a store, with the names of the files that are examples."""
    names = store.splits["test"].names
    items = itemised([*known(store, classes)], len(test.labels))
    report = error_sets.mined(items, test, classes)
    for each in report["sets"]:
        each["example_names"] = names and [names[number] for number in each["examples"]]
    return report


def known(store: Store, classes: Sequence[str]) -> Iterator[Quantity | Choice]:
    """What is known of each test example before a model is asked."""
    train, test = store.splits["train"], store.splits["test"]
    yield Choice("class", test.labels, classes, [f"class {name}" for name in classes])
    # The same training examples for every run: edges do not depend on its seed.
    some = np.sort(randomness.order(randomness.key(0, "edges"), len(train.labels))[:_MEASURED])
    if store.columns is None:
        yield from _of_images(train, test, some)
    else:
        yield from _of_rows(train.inputs[some][:, 0, 0], np.asarray(test.inputs)[:, 0, 0], store.columns)


def _of_images(train: Split, test: Split, some: npt.NDArray[np.int64]) -> Iterator[Quantity | Choice]:
    here, there = measures(train.inputs[some]), measures(test.inputs)  # type: ignore[arg-type]
    for name in ("brightness", "contrast", "sharpness", "colour", "border"):
        yield Quantity(name, getattr(here, name), getattr(there, name), _QUARTERS[name])
    if train.sizes is not None and test.sizes is not None:
        yield Quantity("original size", _pixels(train.sizes[some]), _pixels(test.sizes), _QUARTERS["original size"])
        height, width = test.sizes.T
        aspects = np.where(height > _LONGER * width, 0, np.where(width > _LONGER * height, 2, 1))
        yield Choice("aspect", aspects, _ASPECTS, _ASPECTS)
    copies = near_duplicates(test.inputs, train.inputs)  # type: ignore[arg-type]
    words = "near-duplicate of a training image"
    yield Choice("near-duplicate", np.where(copies, 0, -1), ("yes",), (words,))


def _pixels(sizes: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    return sizes[:, 0].astype(np.int64) * sizes[:, 1]


def _of_rows(train: Values, test: Values, columns: Sequence[Column]) -> Iterator[Quantity | Choice]:
    start = 0
    for column in columns:
        end = start + len(column.numbers)
        if column.categories is None:
            yield Quantity(column.name, train[:, start], test[:, start])
        else:
            known = test[:, start:end].max(axis=1) > 0
            chosen = np.where(known, test[:, start:end].argmax(axis=1), -1)
            words = [f"{column.name} = {each}" for each in column.categories]
            yield Choice(column.name, chosen, column.categories, words)
        start = end
