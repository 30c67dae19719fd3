"""The making of a store inside a folder that nobody else sees yet."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from image_classifier import files
from image_classifier.data.examples import Examples, Pixels
from image_classifier.data.inputs import new_array, write_inputs
from image_classifier.data.store import FORMAT, INDEX, array_name, content_digest

_ROWS_AT_ONCE = 4096


def write_store(
    folder: Path, classes: tuple[str, ...], examples: dict[str, Examples], settings: dict[str, Any], *, quiet: bool
) -> None:
    """Fill `folder` with a whole store; its index comes last."""
    shape = write_inputs(folder, examples, settings["image_size"], quiet=quiet)
    for split, part in examples.items():
        new_array(folder / array_name(split, "labels"), part.labels.shape, np.int64)[:] = part.labels
    inputs = {split: np.lib.format.open_memmap(folder / array_name(split, "inputs"), mode="r") for split in examples}
    mean, std = moments(inputs["train"])
    named = all(part.names is not None for part in examples.values())
    index: dict[str, Any] = {
        "format": FORMAT,
        "classes": list(classes),
        "shape": list(shape),
        "mean": mean,
        "std": std,
        "image_size": settings["image_size"],
        "duplicates": count_duplicates(inputs["train"], inputs["test"]),
        "files": {
            name: {"sha256": files.digest_file(folder / name), "size": (folder / name).stat().st_size}
            for name in (array_name(split, part) for split in examples for part in ("inputs", "labels"))
        },
        "manifest": {
            "kind": settings["kind"],
            "split_seed": settings["split_seed"],
            "files": {split: list(part.names or ()) for split, part in examples.items()} if named else None,
        },
    }
    files.write_json(folder / INDEX, index | {"digest": content_digest(index)})
    for path in folder.iterdir():
        files.make_read_only(path)


def moments(pixels: Pixels) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel on the scale 0..1; a channel that never changes gets deviation 1.

    The sums are whole numbers, so that their order, and with it the number of threads, cannot matter.
    """
    channels = pixels.shape[-1]
    total, squares = [0] * channels, [0] * channels
    for start in range(0, len(pixels), _ROWS_AT_ONCE):
        flat = pixels[start : start + _ROWS_AT_ONCE].reshape(-1, channels)
        for channel in range(channels):
            histogram = np.bincount(flat[:, channel], minlength=256)
            values = np.arange(256)
            total[channel] += int(histogram @ values)
            squares[channel] += int(histogram @ values**2)
    count = pixels.size // channels
    mean = [t / count / 255 for t in total]
    # n·Σv² − (Σv)² is exact in Python's integers and so never negative.
    std = [(count * s - t * t) ** 0.5 / count / 255 for t, s in zip(total, squares, strict=True)]
    return mean, [value or 1.0 for value in std]


def count_duplicates(train: Pixels, test: Pixels) -> int:
    """How many test images have exactly the pixels of a training image."""
    known = {hashlib.sha256(image).digest() for image in train}
    return sum(hashlib.sha256(image).digest() in known for image in test)
