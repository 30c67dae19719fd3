"""A run's results as files: what each holds, written, and read with a check that nothing behind it needs to repeat."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt

from image_classifier import files, lfs, schema
from image_classifier.errors import UserError, one_line
from image_classifier.evaluation.metrics import Predictions
from image_classifier.schema import Amount, Count, Interval, Number, OneOrMore, Share

PREDICTIONS = ("test_labels", "test_probabilities", "val_labels", "val_probabilities", "val_rows")
HISTORY_COLUMNS = ("epoch", "loss", "acc", "val_loss", "val_acc", "lr", "seconds")
_LONGEST = 200  # characters of another library's error


class Class(TypedDict):
    """The figures of a class that has examples."""

    n: OneOrMore
    accuracy: Share
    ci95: Interval
    precision: Share | None
    recall: Share
    f1: Share


class EmptyClass(TypedDict):
    """A class without examples."""

    n: Literal[0]
    accuracy: None
    ci95: None
    precision: None
    recall: None
    f1: None


class Validation(TypedDict):
    """The figures of the validation examples."""

    n: OneOrMore
    accuracy: Share
    accuracy_ci95: Interval
    loss: Amount
    best_epoch: OneOrMore


class Brief(TypedDict):
    """The figures of a run without those of each class."""

    split: str
    n: OneOrMore
    accuracy: Share
    accuracy_ci95: Interval
    loss: Amount
    macro_f1: Share
    ece: Share
    val: Validation | None


class Metrics(Brief):
    """The content of `metrics.json`."""

    per_class: dict[str, Class | EmptyClass]


class ErrorSet(TypedDict):
    """Examples with something in common that are wrong more often than the others."""

    support: Share
    itemsets: list[str]
    pattern_length: OneOrMore
    itemsets_desc: str
    n: OneOrMore
    errors: OneOrMore
    error_rate: Share
    error_rate_ci95: Interval
    share_of_errors: Share
    wrong_class: str
    wrong_class_n: OneOrMore
    p_value: Share
    held_out_n: Count | None
    held_out_errors: Count | None
    held_out_error_rate: Share | None
    held_out_ci95: Interval | None
    held_out_p_value: Share | None
    confirmed: bool
    examples: list[Count]
    example_names: list[str] | None


class ErrorSets(TypedDict):
    """The content of `error_sets.json`."""

    split: Literal["test"]
    n: OneOrMore
    errors: Count
    error_rate: Share
    error_rate_ci95: Interval
    least_examples: OneOrMore
    longest: OneOrMore
    nb_tested: Count
    nb_freq_sets: Count
    max_support_value: Share
    false_discovery_rate: Share
    edges: dict[str, list[Number]]
    sets: list[ErrorSet]


class Epoch(TypedDict):
    """A row of `training_history.csv`."""

    epoch: OneOrMore
    loss: Number
    acc: Share
    val_loss: Number | None
    val_acc: Share | None
    lr: Amount
    seconds: Amount


def read_metrics(path: Path, classes: Sequence[str], hint: str) -> dict[str, Any]:
    """The figures in a `metrics.json`, for these classes in this order."""
    metrics = files.read_json(path)
    schema.check(metrics, Metrics, path, hint)
    if list(metrics["per_class"]) != list(classes):
        raise UserError(f"{path} is not as it was written: its classes are not those of the run", hint)
    return dict(metrics)


def read_error_sets(path: Path, hint: str) -> dict[str, Any]:
    """What `error_sets.json` holds."""
    report = files.read_json(path)
    schema.check(report, ErrorSets, path, hint)
    return dict(report)


def error_sets_csv(report: Mapping[str, Any]) -> str:
    """The error sets as CSV, a row for each; lists in it are written as JSON, an interval as two columns."""
    stream = io.StringIO()
    columns = [column for name in ErrorSet.__annotations__ for column in _columns(name)]
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    for row in report["sets"]:
        writer.writerow({column: cell for name in row for column, cell in _cells(name, row[name])})
    return stream.getvalue()


def _columns(name: str) -> tuple[str, ...]:
    return (f"{name}_low", f"{name}_high") if name.endswith("ci95") else (name,)


def _cells(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    parts = (value or ("", "")) if name.endswith("ci95") else (value,)
    for column, part in zip(_columns(name), parts, strict=True):
        if isinstance(part, list):
            yield column, json.dumps(part, ensure_ascii=False)
        else:
            yield column, "" if part is None else str(part).lower() if isinstance(part, bool) else part


def npz(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """The arrays as the bytes of an .npz; equal arrays give equal bytes."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})
    return stream.getvalue()


def read_npz(path: Path, num_classes: int, hint: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a `predictions.npz`; the hint says how to get one that is whole."""
    data = lfs.read(path, hint)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in PREDICTIONS}
    except Exception as error:  # damage shows as any of a dozen exception types
        raise UserError(f"{path} cannot be read: {one_line(error, _LONGEST)}", hint) from error
    try:
        _check_arrays(arrays, num_classes)
    except ValueError as error:
        raise UserError(f"{path} is not as it was written: {error}", hint) from error
    return arrays


def _check_arrays(arrays: Mapping[str, npt.NDArray[Any]], num_classes: int) -> None:
    """Refuse with a ValueError what is no answer of a network on two splits."""
    for split in ("test", "val"):
        answers = Predictions(arrays[f"{split}_labels"], arrays[f"{split}_probabilities"])
        if answers.probabilities.shape[1] != num_classes:
            raise ValueError(f"it has {answers.probabilities.shape[1]} classes and the run {num_classes}")
    if not len(arrays["test_labels"]):
        raise ValueError("it has no test examples")
    rows, held = arrays["val_rows"], arrays["val_labels"]
    if rows.shape != held.shape or not np.issubdtype(rows.dtype, np.integer) or (rows < 0).any():
        raise ValueError(f"val_rows are {rows.dtype} of shape {rows.shape}, and there are {len(held)} val_labels")


def history_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The training history as CSV; full precision, empty where there is no value."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HISTORY_COLUMNS)
    for row in rows:
        writer.writerow(["" if row[name] is None else row[name] for name in HISTORY_COLUMNS])
    return stream.getvalue()


def read_history(path: Path) -> list[dict[str, float | None]]:
    """The rows of a `training_history.csv`, one for each epoch from the first."""
    hint = "restore it, or train again"
    try:
        head, *lines = csv.reader(lfs.read(path, hint).decode().splitlines(), strict=True)
        rows = [dict(zip(HISTORY_COLUMNS, map(_number, line), strict=True)) for line in lines]
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {one_line(error, _LONGEST)}", hint) from error
    schema.check(rows, list[Epoch], path, hint)
    if tuple(head) != HISTORY_COLUMNS or [row["epoch"] for row in rows] != list(range(1, len(rows) + 1)):
        raise UserError(f"{path} is not as it was written: it needs {','.join(HISTORY_COLUMNS)} of each epoch", hint)
    return rows


def _number(text: str) -> float | None:
    return int(text) if text.isdecimal() else float(text) if text else None
