"""Images classified per second by `predict`, against a bare forward pass over the same images already decoded.

    python benchmarks/prediction.py RUN FOLDER [--repeats 5]

RUN is a finished run's folder and FOLDER holds images. Both ways see the same images, in turn, in one process.
"""

import argparse
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from image_classifier import load_run, runtime
from image_classifier.data.reading import image_files, read_images
from image_classifier.training.classifying import classify, read_ahead


def main() -> None:
    """Print both rates and their ratio, with n and spread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    run = load_run(arguments.run)
    images = image_files([arguments.folder])
    height, width, channels = run.card["input"]["shape"]
    place = runtime.Runtime(**run.card["runtime"])
    runtime.activate(place)
    pixels = torch.from_numpy(np.array(read_images(images, (height, width, channels))))
    mean, std = (torch.tensor(run.card["input"][name]).view(1, -1, 1, 1) for name in ("mean", "std"))
    ready = [
        ((part.permute(0, 3, 1, 2) / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
        for part in pixels.split(256)
    ]
    model = run.model()

    def bare() -> None:
        with torch.inference_mode(), place.autocast():
            for batch in ready:
                model(batch)

    def whole() -> None:
        classify(run, read_ahead(image_files([arguments.folder]), (height, width, channels)))

    bare()
    rates: dict[str, list[float]] = {"bare": [], "predict": []}
    for _ in range(arguments.repeats):
        for name, work in (("bare", bare), ("predict", whole)):
            started = time.perf_counter()
            work()
            rates[name].append(len(images) / (time.perf_counter() - started))
    ratios = [one / two for one, two in zip(rates["predict"], rates["bare"], strict=True)]
    print(f"{platform.processor() or platform.machine()}, {place}, torch {torch.__version__}")
    print(f"{len(images)} images of {height}×{width}, {run.config.model}, n = {arguments.repeats}")
    for name, values in {**rates, "ratio": ratios}.items():
        print(f"{name:<8} median {statistics.median(values):.3g}  ({min(values):.3g} to {max(values):.3g})")


if __name__ == "__main__":
    main()
