"""How fast JPEG files are decoded: torchvision and Pillow one file at a time, and `prepare`'s own way.

    python benchmarks/decoding.py FOLDER [--files 50000] [--rounds 5]

The three take turns in one process, so that a slow minute of the machine is everybody's. Reading from the page cache.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.io import decode_jpeg, read_file

from image_classifier.data.examples import ImageFile
from image_classifier.data.inputs import write_files


def with_torchvision(paths: list[str]) -> None:
    """One file at a time."""
    for path in paths:
        decode_jpeg(read_file(path))


def with_pillow(paths: list[str]) -> None:
    """One file at a time."""
    for path in paths:
        with Image.open(path) as image:
            np.asarray(image)


def with_prepare(paths: list[str]) -> None:
    """Start of the processes, every check, and the array on disk included."""
    files = [ImageFile(path, os.path.getsize(path)) for path in paths]  # noqa: PTH202
    with Image.open(paths[0]) as image, tempfile.TemporaryDirectory() as folder:
        shape = (image.height, image.width, 3)
        if not write_files(Path(folder), {"train": files}, shape, native=True, quiet=True):
            raise SystemExit("the images must all have one size")


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Print images a second of each way: the median, the slowest and the fastest round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    paths = sorted(map(str, asked.folder.rglob("*.jpg")))[: asked.files]
    ways = {"torchvision": with_torchvision, "pillow": with_pillow, "prepare": with_prepare}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    work: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(asked.rounds):
        for name, way in ways.items():
            started, used = time.perf_counter(), processor_seconds()
            way(paths)
            rates[name].append(len(paths) / (time.perf_counter() - started))
            work[name].append((processor_seconds() - used) / len(paths) * 1e6)
    print(
        f"{len(paths)} files, {asked.rounds} rounds, {len(os.sched_getaffinity(0))} cores, torch {torch.__version__},"
    )
    print(f"torchvision {torchvision.__version__}, Pillow {PIL.__version__}; images a second")
    for name, values in rates.items():
        spread = f"{statistics.median(values):8,.0f}   from {min(values):8,.0f} to {max(values):8,.0f}"
        print(f"{name:12} median {spread}   processor time {statistics.median(work[name]):4.0f} µs an image")


if __name__ == "__main__":
    main()
