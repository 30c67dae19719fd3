"""CIFAR-10 as published (Krizhevsky 2009): six pickles of numpy arrays, read without running what they say."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from image_classifier import files
from image_classifier.data.examples import Examples, Labels, Pixels, Source, Stat, checked_class_names
from image_classifier.data.sources.download import ARCHIVE, fetch_batches
from image_classifier.data.sources.unpickling import read_arrays
from image_classifier.errors import UserError
from image_classifier.settings.names import DEFAULT_DATASET

BATCHES = "cifar-10-batches-py"
METADATA = "metadata.json"
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE, _CHANNELS = 32, 3


def is_cifar(folder: Path) -> bool:
    """Whether the folder has the batches, or is a place where they are to be downloaded to."""
    if folder.is_dir():
        if not os.access(folder, os.R_OK | os.X_OK):
            return False  # whoever lists it as a folder of images says why not
        visible = {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")}
        return BATCHES in visible or visible <= {METADATA}
    return folder == Path(DEFAULT_DATASET)


def cifar_batches(folder: Path, *, quiet: bool, archive: tuple[str, str] = ARCHIVE) -> Source:
    """CIFAR-10 in `folder`, downloaded if it is not there; `archive` is its address and sha256."""
    batches = folder / BATCHES
    if not batches.is_dir():
        fetch_batches(batches, (*TRAIN, TEST, "batches.meta"), archive, quiet=quiet)
    for name in (*TRAIN, TEST):
        if not (batches / name).is_file():
            raise _incomplete(batches / name, "is missing")
    return Source("cifar", _stats(folder), draws_test=False, load=lambda: _load(folder), root=str(folder))


def _stats(folder: Path) -> tuple[Stat, ...]:
    found = [folder / METADATA, *(folder / BATCHES / name for name in (*TRAIN, TEST, "batches.meta"))]
    statuses = [(str(path.relative_to(folder)), path.stat()) for path in found if path.is_file()]
    return tuple((name, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in statuses)


def _load(folder: Path) -> tuple[tuple[str, ...], dict[str, Examples]]:
    train = [_read_batch(folder / BATCHES / name) for name in TRAIN]
    test = _read_batch(folder / BATCHES / TEST)
    return _class_names(folder), {
        "train": Examples(np.concatenate([labels for labels, _ in train]), np.concatenate([x for _, x in train])),
        "test": Examples(*test),
    }


def _incomplete(path: Path, what: str) -> UserError:
    return UserError(f"the CIFAR-10 batch {path} {what}", f"remove {path.parent} and run again: it is downloaded anew")


def _read_batch(path: Path) -> tuple[Labels, Pixels]:
    """Labels and pixels (N, H, W, C) of one batch."""
    content = read_arrays(path)
    if not isinstance(content, dict) or not {"data", "labels"} <= content.keys():
        raise _incomplete(path, "holds no data and labels")
    data, labels = content["data"], np.asarray(content["labels"])
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (_CHANNELS * SIDE * SIDE,):
        raise _incomplete(path, "holds data that are not rows of 3072 bytes")
    if labels.shape != (len(data),) or labels.dtype.kind not in "iu" or not len(labels):
        raise _incomplete(path, f"does not hold one label for each of its {len(data)} images")
    if labels.min() < 0 or labels.max() >= len(NAMES):
        raise _incomplete(path, f"holds labels from {labels.min()} to {labels.max()} instead of 0 to {len(NAMES) - 1}")
    pixels = data.reshape(-1, _CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
    return labels.astype(np.int64), np.ascontiguousarray(pixels)


def _class_names(folder: Path) -> tuple[str, ...]:
    """From metadata.json, else as published with the batches, else the well-known ones."""
    if (folder / METADATA).is_file():
        return _checked(files.read_json(folder / METADATA), folder / METADATA)
    meta = folder / BATCHES / "batches.meta"
    return _checked(read_arrays(meta), meta) if meta.is_file() else NAMES


def _checked(value: Any, path: Path) -> tuple[str, ...]:
    if isinstance(value, dict):
        value = next((value[key] for key in ("classes", "class_names", "label_names") if key in value), None)
    if not isinstance(value, list) or len(value) != len(NAMES) or not all(isinstance(name, str) for name in value):
        example = json.dumps({"classes": NAMES})
        raise UserError(f"{path} does not list {len(NAMES)} class names", f"write it like {example}, or remove it")
    return checked_class_names(value, str(path))
