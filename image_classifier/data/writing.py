"""The making of a store inside a folder that nobody else sees yet."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from image_classifier import files
from image_classifier.data.examples import Examples, Pixels
from image_classifier.data.inputs import new_array, write_inputs, write_rows
from image_classifier.data.measures import pieces
from image_classifier.data.splits import numbered
from image_classifier.data.store import FORMAT, INDEX, array_name, content_digest
from image_classifier.data.tables import Column, Encoded, Table, as_json, fitted
from image_classifier.randomness import bits, key
from image_classifier.settings.inputs import fitting_in


def write_store(
    folder: Path, classes: tuple[str, ...], examples: dict[str, Examples], settings: dict[str, Any], *, quiet: bool
) -> str:
    """Fill `folder` with a whole store, its index last; the store's digest."""
    rows = examples["train"].images
    columns: Sequence[Column] | None = None
    if isinstance(rows, Table):
        columns = settings["columns"] or fitted(rows, settings["where"])
        shape = write_rows(folder, examples, columns, settings["where"])
    else:
        fitting = fitting_in(settings)
        shape = write_inputs(folder, examples, settings["image_size"], fitting, quiet=quiet)
    for split, part in examples.items():
        new_array(folder / array_name(split, "labels"), part.labels.shape, np.int64)[:] = part.labels
    _write_groups(folder, examples)
    inputs = {split: np.lib.format.open_memmap(folder / array_name(split, "inputs"), mode="r") for split in examples}
    mean, std = moments(inputs["train"]) if columns is None else scale(inputs["train"], columns)
    named = all(part.names is not None for part in examples.values())
    index: dict[str, Any] = {
        "format": FORMAT,
        "classes": list(classes),
        "shape": list(shape),
        "mean": mean,
        "std": std,
        **({} if columns is None else {"columns": as_json(columns)}),
        "image_size": settings["image_size"],
        "duplicates": count_duplicates(inputs["train"], inputs["test"]),
        "files": {
            name: {"sha256": files.digest_file(folder / name), "size": (folder / name).stat().st_size}
            for name in sorted(path.name for path in folder.iterdir())
        },
        "manifest": {
            "kind": settings["kind"],
            "split_seed": settings["split_seed"],
            **{name: settings[name] for name in ("query_sha256", "interpolation", "crop") if name in settings},
            "files": {split: list(part.names or ()) for split, part in examples.items()} if named else None,
        },
    }
    digest = content_digest(index)
    files.write_json(folder / INDEX, index | {"digest": digest})
    for path in folder.iterdir():
        files.make_read_only(path)
    return digest


def _write_groups(folder: Path, examples: dict[str, Examples]) -> None:
    """Write each example's group as a number: what groups are called, such as patients' names, is kept nowhere."""
    named = {split: part.groups for split, part in examples.items() if part.groups is not None}
    numbers = numbered([group for groups in named.values() for group in groups])
    for split, groups in named.items():
        of_split, numbers = numbers[: len(groups)], numbers[len(groups) :]
        new_array(folder / array_name(split, "groups"), of_split.shape, np.int64)[:] = of_split


def moments(pixels: Pixels) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel on the scale 0..1; a channel that never changes gets deviation 1.

    The sums are whole numbers, so that their order, and with it the number of threads, cannot matter.
    """
    shape = pixels.shape[1:]
    total, squares = np.zeros(shape, np.uint64), np.zeros(shape, np.uint64)
    for rows in pieces(pixels):
        total += rows.sum(axis=0, dtype=np.uint64)
        squares += np.multiply(rows, rows, dtype=np.uint16).sum(axis=0, dtype=np.uint64)
    count = pixels.size // shape[-1]
    sums = [int(value) for value in total.sum(axis=(0, 1))]
    # n·Σv² − (Σv)² is exact in Python's integers and so never negative.
    products = [count * int(value) - sums[channel] ** 2 for channel, value in enumerate(squares.sum(axis=(0, 1)))]
    return [value / count / 255 for value in sums], [value**0.5 / count / 255 or 1.0 for value in products]


def scale(rows: Encoded, columns: Sequence[Column]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each number; those that say whether a row has a category stay 0 and 1.

    The sums are exact before they are rounded, so that their order cannot matter.
    """
    mean, std = [], []
    numeric = [column.categories is None for column in columns for _ in column.numbers]
    for index, scaled in enumerate(numeric):
        values = np.asarray(rows[:, 0, 0, index], np.float64)
        centre = math.fsum(values) / len(values) if scaled else 0.0
        mean.append(centre)
        std.append(math.sqrt(math.fsum((values - centre) ** 2) / len(values)) or 1.0 if scaled else 1.0)
    return mean, std


def count_duplicates(train: Pixels | Encoded, test: Pixels | Encoded) -> int:
    """How many test examples have exactly the numbers of a training example."""
    train_prints, test_prints = _fingerprints(train), _fingerprints(test)
    alike = np.flatnonzero(np.isin(test_prints, train_prints))
    candidates = np.flatnonzero(np.isin(train_prints, test_prints[alike]))
    known = {files.digest_bytes(train[row].tobytes()) for row in candidates}
    return sum(files.digest_bytes(test[row].tobytes()) in known for row in alike)


def _fingerprints(pixels: Pixels | Encoded) -> npt.NDArray[np.uint64]:
    """One number per image, equal for equal images; what collides is compared in full."""
    size = pixels[:1].nbytes
    weights = bits(key(0, "fingerprint"), np.arange(-(-size // 8)))
    prints = []
    for rows in pieces(pixels):
        words = np.pad(
            np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), size), ((0, 0), (0, -size % 8))
        ).view(np.uint64)
        prints.append((words * weights).sum(axis=1, dtype=np.uint64))
    return np.concatenate(prints)
