"""Data sets that come with scikit-learn: no file, no network."""

import numpy as np

from image_classifier.data.examples import Examples, Source
from image_classifier.data.tables import Table
from image_classifier.errors import UserError, suggestion

DIGITS_SIZE = (8, 8)
_BRIGHTEST = 16


def digits() -> Source:
    """Handwritten digits: 1797 gray images of 8 x 8 pixels."""
    return Source("digits", (), draws_test=True, load=_load_digits)


def _load_digits() -> tuple[tuple[str, ...], dict[str, Examples]]:
    # Imported here: it takes longer than everything else when the store exists already.
    from sklearn.datasets import load_digits  # noqa: PLC0415

    data = load_digits()
    pixels = np.rint(data.images * 255 / _BRIGHTEST).astype(np.uint8)[..., np.newaxis]
    labels = np.asarray(data.target, dtype=np.int64)
    return tuple(str(name) for name in data.target_names), {"train": Examples(labels, pixels)}


def table(name: str, drop: tuple[str, ...]) -> Source:
    """Wines of three growers by their chemistry, or tumours by the shape of their cells: numbers in every column."""
    return Source(f"table {name} -{','.join(drop)}", (), draws_test=True, load=lambda: _load_table(name, drop))


def _load_table(name: str, drop: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, Examples]]:
    from sklearn import datasets  # noqa: PLC0415

    data = getattr(datasets, f"load_{name}")()
    columns = {str(column).replace(" ", "_"): data.data[:, at] for at, column in enumerate(data.feature_names)}
    unknown = [column for column in drop if column not in columns]
    if unknown:
        near = suggestion(unknown[0], columns) or f"it has {', '.join(columns)}"
        raise UserError(f"{name} has no column {', '.join(unknown)} to drop", near)
    kept = Table({column: np.asarray(values, np.float64) for column, values in columns.items() if column not in drop})
    labels = np.asarray(data.target, dtype=np.int64)
    return tuple(str(each) for each in data.target_names), {"train": Examples(labels, kept)}
