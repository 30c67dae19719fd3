"""Rows of a table: numbers and categories by column, and how they become numbers alone.

An encoded row is stored as an image of one pixel with a channel for each number: what holds for images (the store, the
batches, the scaling by mean and deviation of the training rows, the duplicates) holds for rows without a second way.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from image_classifier.errors import UserError

Values = npt.NDArray[np.float64] | npt.NDArray[np.object_]
Encoded = npt.NDArray[np.float32]
LARGEST = float(np.finfo(np.float32).max)
# Rows are multiplied by one over the deviation, which must be a 32-bit number too.
_LEAST_DEVIATION = 4 / LARGEST


@dataclass(frozen=True)
class Column:
    """A column that a model reads: a number, or one of the categories that its training rows had."""

    name: str
    categories: tuple[str, ...] | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names of the numbers that it becomes."""
        return (self.name,) if self.categories is None else tuple(f"{self.name}={each}" for each in self.categories)


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length by name: float64 for numbers, text for categories."""

    columns: Mapping[str, Values]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, indices: npt.NDArray[np.int64]) -> "Table":
        """The chosen rows, in that order."""
        return Table({name: values[indices] for name, values in self.columns.items()})


def columns_from(value: Any) -> tuple[Column, ...]:
    """The columns that a store or a card describes."""
    return tuple(Column(each["name"], each["categories"] and tuple(each["categories"])) for each in value)


def as_json(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The columns as a store and a card describe them."""
    return [{"name": each.name, "categories": each.categories and list(each.categories)} for each in columns]


def fitted(train: Table, where: str) -> tuple[Column, ...]:
    """What a model reads of such rows; one value in every training row can teach nothing and is refused."""
    constant = [name for name, values in train.columns.items() if bool((values == values[0]).all())]
    if constant:
        raise UserError(
            f"{', '.join(constant)} in {where} has one value in all training rows",
            f"leave it out: --drop_columns {','.join(constant)}",
        )
    narrow = [
        name
        for name, values in train.columns.items()
        if values.dtype == np.float64 and values.astype(np.float32).std(dtype=np.float64) < _LEAST_DEVIATION
    ]
    if narrow:
        raise UserError(
            f"{', '.join(narrow)} in {where} varies by less than 32-bit numbers can tell",
            f"subtract what all values have in common and choose another unit, or --drop_columns {','.join(narrow)}",
        )
    return tuple(
        Column(name) if values.dtype == np.float64 else Column(name, tuple(sorted(set(values.tolist()))))
        for name, values in train.columns.items()
    )


def encoded(table: Table, columns: Sequence[Column], where: str) -> Encoded:
    """The rows as (N, 1, 1, numbers); a category that no training row had is none of the known ones."""
    missing = [column.name for column in columns if column.name not in table.columns]
    if missing:
        raise UserError(f"{where} has no column {', '.join(missing)}", f"it has {', '.join(table.columns)}")
    parts = [_numbers(table.columns[column.name], column, where) for column in columns]
    return np.concatenate(parts, axis=1, dtype=np.float32)[:, None, None, :]


def _numbers(values: Values, column: Column, where: str) -> npt.NDArray[np.floating[Any]]:
    if column.categories is not None:
        # A column that held texts when the model was trained may hold nothing but whole numbers now.
        texts = np.array([f"{value:.17g}" for value in values]) if values.dtype == np.float64 else values
        return np.stack([texts == category for category in column.categories], axis=1).astype(np.float32)
    if values.dtype != np.float64:
        text = next((each for each in values.tolist() if number(each) is None), values[0])
        raise UserError(f"{column.name} in {where} holds {text!r}, and the model was trained on numbers", "correct it")
    return values.astype(np.float64).reshape(-1, 1)


def number(text: str) -> float | None:
    """The finite number that the text writes, if it writes one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
