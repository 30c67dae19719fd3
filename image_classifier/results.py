"""The forms of a run's results: predictions as arrays, the history as CSV."""

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from image_classifier.errors import UserError
from image_classifier.model import artifact

PREDICTIONS = ("test_labels", "test_probabilities", "val_labels", "val_probabilities", "val_rows")
HISTORY_COLUMNS = ("epoch", "loss", "acc", "val_loss", "val_acc", "lr", "seconds")


def npz(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """The arrays as the bytes of an .npz; equal arrays give equal bytes."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})
    return stream.getvalue()


def read_npz(path: Path, hint: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a `predictions.npz`; the hint says how to get one that is whole."""
    try:
        data = path.read_bytes()
        if artifact.is_pointer(data):
            raise artifact.pointer_error(path)
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in PREDICTIONS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: {error}", hint) from error


def history_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The training history as CSV; full precision, empty where there is no value."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HISTORY_COLUMNS)
    for row in rows:
        writer.writerow(["" if row[name] is None else row[name] for name in HISTORY_COLUMNS])
    return stream.getvalue()


def read_history(path: Path) -> list[dict[str, float | None]]:
    """The rows of a `training_history.csv`."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        return [{name: float(row[name]) if row[name] else None for name in HISTORY_COLUMNS} for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read: {error}", "restore it, or train again") from error
