"""The prepared store: arrays that are hashed, read-only and mapped, and the one file that describes them."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from image_classifier import files
from image_classifier.data.examples import Labels, Pixels
from image_classifier.data.tables import Column, Encoded, columns_from
from image_classifier.errors import UserError, one_line
from image_classifier.settings.inputs import PLAIN, Fitting, fitting_in

FORMAT = 1
INDEX = "store.json"
SPLITS = ("train", "val", "test")
_ARRAYS = [(split, part) for split in SPLITS for part in ("inputs", "labels", "sizes", "groups")]
# Heights and widths of the files that images came from, where these had several: told of errors, never learned from.
_UNLEARNED = {f"{split}_sizes.npy" for split in SPLITS}
# What is missing or of another kind is damage; what may not be read, or not now, is not.
_NOT_THERE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
_READABLE = "make it readable for this user, and see that the disk is well"


@dataclass(frozen=True)
class Split:
    """Examples in their stored order: pixels or a table's numbers (mapped), labels, and the files, if any."""

    inputs: Pixels | Encoded
    labels: Labels
    names: tuple[str, ...] | None
    sizes: npt.NDArray[np.int32] | None = None  # height and width of the files, where they had several
    groups: Labels | None = None  # each example's group by number, where examples belong together


@dataclass(frozen=True)
class Store:
    """A data set that is ready to train on; `digest` is its version."""

    folder: Path
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str
    splits: dict[str, Split]
    duplicates: int
    image_size: int | None
    draws_test: bool  # whether the test split was drawn here, because the source has none
    columns: tuple[Column, ...] | None = None  # of a table: what the numbers of a row are
    query_sha256: str | None = None  # of the query that chose the examples in a database
    fitting: Fitting = PLAIN  # how its images became squares, where they did not keep their own size


class DamagedStoreError(UserError):
    """A prepared store is not what was written."""


def is_store(folder: Path) -> bool:
    """Whether the folder is a prepared store, whole or damaged: it has an index, or arrays and no folders."""
    # os.path: where a folder may not be read it says no, and whoever reads it next says why.
    if os.path.isfile(folder / INDEX):  # noqa: PTH113
        return True
    if not any(os.path.isfile(folder / array_name(*part)) for part in _ARRAYS):  # noqa: PTH113
        return False
    return os.access(folder, os.R_OK) and not any(entry.is_dir() for entry in folder.iterdir())


def shape_in(index: Any) -> tuple[int, int, int] | None:
    """Height, width and channels as a store's index has them; whether they are true is found when it is opened."""
    shape = index.get("shape") if isinstance(index, dict) else None
    if not isinstance(shape, list) or len(shape) != 3 or not all(isinstance(side, int) for side in shape):
        return None
    return shape[0], shape[1], shape[2]


def array_name(split: str, part: str) -> str:
    """The file of a split's `inputs`, `labels`, `sizes` or `groups`."""
    return f"{split}_{part}.npy"


def array_names() -> set[str]:
    """The files that a store may have beside its index."""
    return {array_name(*part) for part in _ARRAYS}


def content_digest(index: dict[str, Any]) -> str:
    """The sha256 of everything in a store that can change a number, and of nothing else."""
    numeric = {name: index[name] for name in ("format", "classes", "shape", "mean", "std")}
    if index.get("columns") is not None:
        numeric["columns"] = index["columns"]
    hashes = {name: entry["sha256"] for name, entry in index["files"].items() if name not in _UNLEARNED}
    return files.digest_bytes(files.canonical_json(numeric | {"files": hashes}).encode())


def open_store(folder: Path) -> Store:
    """The store in `folder`, every byte checked against its index, mapped read-only."""
    index = read_index(folder)
    if isinstance(index, dict) and index.get("format") not in (FORMAT, None):
        raise DamagedStoreError(
            f"{folder / INDEX} has format {index['format']}; this version reads format {FORMAT}",
            f"remove {folder} and prepare the data set again",
        )
    try:
        names = _checked_index(index)
        return Store(
            folder=folder,
            classes=tuple(index["classes"]),
            shape=tuple(index["shape"]),
            mean=tuple(index["mean"]),
            std=tuple(index["std"]),
            digest=index["digest"],
            splits={split: _open_split(folder, index, split) for split in names},
            duplicates=index["duplicates"],
            image_size=index["image_size"],
            draws_test=index["manifest"]["split_seed"] is not None,
            columns=_columns(index),
            query_sha256=index["manifest"].get("query_sha256"),
            fitting=fitting_in(index["manifest"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _damaged(folder, f"{INDEX} is not as it was written ({one_line(error)})") from error


def read_index(folder: Path) -> Any:
    """What a store says of itself, not checked yet."""
    try:
        return files.read_json(folder / INDEX)
    except UserError as error:
        if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, _NOT_THERE):
            raise UserError(f"the prepared store {folder} cannot be opened: {error.what}", _READABLE) from error
        raise _damaged(folder, error.what) from error


def _columns(index: Any) -> tuple[Column, ...] | None:
    return None if index.get("columns") is None else columns_from(index["columns"])


def _damaged(folder: Path, what: str) -> DamagedStoreError:
    return DamagedStoreError(
        f"the prepared store {folder} is damaged: {what}", f"remove {folder} and prepare the data set again"
    )


def _checked_index(index: Any) -> list[str]:
    """The splits that the index names; raises `ValueError` where it contradicts itself."""
    height, width, channels = index["shape"]
    columns = _columns(index)
    least, most = (0.0, 1.0) if columns is None else (-sys.float_info.max, sys.float_info.max)
    checks = {
        "shape": all(isinstance(n, int) and n > 0 for n in (height, width, channels)),
        "classes": len(index["classes"]) > 1 and all(isinstance(name, str) for name in index["classes"]),
        "mean": len(index["mean"]) == channels and all(least <= value <= most for value in index["mean"]),
        "std": len(index["std"]) == channels and all(0 < value <= most for value in index["std"]),
        "columns": columns is None or (height, width, channels) == (1, 1, sum(len(each.numbers) for each in columns)),
        "files": set(index["files"]) <= array_names(),
        "duplicates": isinstance(index["duplicates"], int),
        "image_size": index["image_size"] is None or isinstance(index["image_size"], int),
        "digest": index["digest"] == content_digest(index),
    }
    wrong = [name for name, good in checks.items() if not good]
    if wrong:
        raise ValueError(", ".join(wrong))
    splits = [split for split in SPLITS if array_name(split, "inputs") in index["files"]]
    if not {"train", "test"} <= set(splits):
        raise ValueError("files")
    return splits


def _open_split(folder: Path, index: Any, split: str) -> Split:
    sized, grouped = (array_name(split, part) in index["files"] for part in ("sizes", "groups"))
    for part in ("inputs", "labels", *(["sizes"] if sized else []), *(["groups"] if grouped else [])):
        name = array_name(split, part)
        _check_file(folder, name, index["files"][name])
    inputs = _mapped(folder, array_name(split, "inputs"))
    labels = np.array(_mapped(folder, array_name(split, "labels")))
    dtype = np.uint8 if index.get("columns") is None else np.float32
    if inputs.dtype != dtype or inputs.shape != (len(labels), *index["shape"]):
        raise _damaged(folder, f"{array_name(split, 'inputs')} has shape {inputs.shape} and type {inputs.dtype}")
    in_range = labels.ndim == 1 and len(labels) > 0 and labels.min() >= 0 and labels.max() < len(index["classes"])
    if labels.dtype != np.int64 or not in_range:
        raise _damaged(folder, f"{array_name(split, 'labels')} holds labels that are no class's number")
    labels.flags.writeable = False
    sizes = np.array(_mapped(folder, array_name(split, "sizes"))) if sized else None
    if sizes is not None and (sizes.dtype != np.int32 or sizes.shape != (len(labels), 2) or sizes.min() < 1):
        raise _damaged(folder, f"{array_name(split, 'sizes')} holds no heights and widths")
    groups = np.array(_mapped(folder, array_name(split, "groups"))) if grouped else None
    if groups is not None and (groups.dtype != np.int64 or groups.shape != labels.shape or groups.min() < 0):
        raise _damaged(folder, f"{array_name(split, 'groups')} holds no group for each example")
    names = index["manifest"]["files"]
    if names is None:
        return Split(inputs, labels, None, sizes, groups)
    if len(names[split]) != len(labels) or not all(isinstance(name, str) for name in names[split]):
        raise ValueError("manifest")
    return Split(inputs, labels, tuple(names[split]), sizes, groups)


def _check_file(folder: Path, name: str, entry: Any) -> None:
    path = folder / name
    try:
        size = path.stat().st_size
        # The size first: a file that is cut short after it was mapped would kill the process.
        if size != entry["size"]:
            raise _damaged(folder, f"{name} has {size} bytes, {entry['size']} were written")
        if files.digest_file(path) != entry["sha256"]:
            raise _damaged(folder, f"{name} is not what was written (its sha256 differs)")
    except _NOT_THERE as error:
        raise _damaged(folder, f"{name} cannot be read: {error.strerror}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", _READABLE) from error


def _mapped(folder: Path, name: str) -> np.ndarray[Any, Any]:
    try:
        return np.lib.format.open_memmap(folder / name, mode="r")
    except (ValueError, *_NOT_THERE) as error:
        raise _damaged(folder, f"{name} is no array: {error}") from error
    except OSError as error:
        raise UserError(f"{folder / name} cannot be read: {error.strerror}", _READABLE) from error
