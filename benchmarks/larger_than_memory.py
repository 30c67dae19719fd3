"""Images a second of training from stores that fit into memory and from larger ones, under a container's limit.

    python benchmarks/larger_than_memory.py --image IMAGE [--limit 1024] [--times 3] [--mount /usr/local ...]

IMAGE is a Docker image with Python; what is to be seen in it besides this repository and the Python that runs this
(the folder of a Python in a place of its own, say) is named by --mount. Stores of noise are made in a folder of
temporary files on a real disk: a fifth of the limit (it stays in memory), once and four times the limit. Each
measurement is a container of its own, in turn; before it the kernel forgets the store, and in it every byte is read
once, as when a store is opened. Then it trains for some seconds, in an order that the seed draws; what of that went by
in reading, and in asking for what comes next, is told too, because other programs disturb it less than the rates.
--asking no measures reading without advice to the kernel, as it was before.
"""

import argparse
import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from image_classifier import compose, runtime
from image_classifier.data import mapped
from image_classifier.data.batches import Augmentation, Batches
from image_classifier.data.examples import Examples
from image_classifier.data.store import open_store
from image_classifier.data.writing import write_store
from image_classifier.model.building import build

REPOSITORY = Path(__file__).resolve().parents[1]
SIZES = {"fits": 0.2, "1x": 1.0, "4x": 4.0}
TASKS = {"sprint": (32, 512), "net": (32, 512), "resnet18": (224, 16)}  # side of an image, batch
WARM = 3  # steps


def noise(count: int, side: int, seed: int) -> Examples:
    """Examples that lie over one another in a little memory: each begins 41 bytes after the one before."""
    size = side * side * 3
    values = np.frombuffer(np.random.default_rng(seed).bytes(count * 41 + size), np.uint8)
    strides = (41, side * 3, 3, 1)
    return Examples(np.arange(count) % 10, np.lib.stride_tricks.as_strided(values, (count, side, side, 3), strides))


def make(folder: Path, side: int, size: float) -> None:
    """A store of so many bytes."""
    folder.mkdir()
    classes, count = tuple(f"class {number}" for number in range(10)), int(size / (side * side * 3))
    settings = {"kind": "noise", "image_size": None, "split_seed": None}
    write_store(folder, classes, {"train": noise(count, side, 1), "test": noise(100, side, 2)}, settings, quiet=True)


def forget(folder: Path) -> None:
    """Have the kernel drop what it holds of these files."""
    for path in folder.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def train(folder: Path, model: str, seconds: float, *, asking: bool) -> dict[str, Any]:
    """Train for some seconds; images a second, and what it took."""
    if not asking:
        mapped.MappedRows.scattered = lambda _: contextlib.nullcontext()  # type: ignore[assignment, method-assign]
        mapped.MappedRows.ask = lambda *_: None  # type: ignore[method-assign]
    reading = [0.0]
    for name in ("take", "ask"):
        setattr(mapped.MappedRows, name, timed(getattr(mapped.MappedRows, name), reading))
    side, batch_size = TASKS[model]
    place = runtime.resolve("cpu", "auto", "auto")
    torch.set_num_threads(place.num_threads)
    runtime.keep_freed_memory()
    split = open_store(folder).splits["train"]
    count = len(split.labels)
    augmentation = Augmentation("alternating", 2) if side < 64 else Augmentation("random")
    options: dict[str, Any] = {"mean": (0.5,) * 3, "std": (0.3,) * 3, "shuffle": True, "augmentation": augmentation}
    batches = Batches(split, np.arange(count), batch_size=batch_size, device=torch.device("cpu"), **options)
    network = build(compose(model=model), 10, (side, side, 3)).train()
    done, before = 0, taken()
    for step, (images, labels) in enumerate(batch for epoch in range(1000) for batch in batches.epoch(epoch)):
        if step == WARM:
            before, done, reading[0] = taken(), 0, 0.0
        with place.autocast():
            logits = network(images)
        functional.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        network.zero_grad()
        done += len(images)
        if step > WARM and time.perf_counter() - before["clock"] > seconds:
            break
    used = {name: value - before[name] for name, value in taken().items()}
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    held = {name: int(line.split()[1]) // 1024 for line in status for name in ("RssAnon", "RssFile") if name in line}
    return held | {
        "rate": done / used["clock"],
        "reading": reading[0] / used["clock"],
        "faults": used["faults"],
        "read": used["read"] / (done * side * side * 3),
    }


def timed(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    """The function, whose seconds are added to what is spent."""

    def call(*arguments: Any) -> Any:
        started = time.perf_counter()
        result = function(*arguments)
        spent[0] += time.perf_counter() - started
        return result

    return call


def taken() -> dict[str, float]:
    """What this process has used so far: seconds, waits for the disk, bytes from it."""
    io = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
    return {"clock": time.perf_counter(), "faults": faults, "read": int(io["read_bytes"])}


def contained(given: argparse.Namespace, folder: Path, model: str) -> dict[str, Any]:
    """What one container measures."""
    forget(folder)
    limit = [f"--memory={given.limit}m", f"--memory-swap={given.limit}m"]
    seen = {REPOSITORY, Path(sys.prefix), Path(sys.base_prefix), folder, *given.mount}
    volumes = [f"--volume={path}:{path}:ro" for path in sorted(seen)]
    options = ["--rm", "--network=none", f"--env=PYTHONPATH={REPOSITORY}", "--env=PYTHONDONTWRITEBYTECODE=1"]
    command = [sys.executable, Path(__file__).resolve(), "--child", folder, model]
    command += ["--seconds", str(given.seconds), "--asking", given.asking]
    done = subprocess.run(
        ["docker", "run", *limit, *volumes, *options, given.image, *command], check=True, stdout=subprocess.PIPE
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def told(runs: dict[str, list[dict[str, Any]]]) -> None:
    """Print the medians and ranges of a model's runs, and their ratios to the first of the same round."""
    (first, *_), alone = runs, next(iter(runs.values()))
    for size, found in runs.items():
        rates = [each["rate"] for each in found]
        ratios = [each["rate"] / base["rate"] for each, base in zip(found, alone, strict=True)]
        middle = {name: statistics.median(each[name] for each in found) for name in found[0]}
        print(
            f"  {size:<5} {middle['rate']:,.0f} images/s ({min(rates):,.0f} to {max(rates):,.0f}), "
            f"{statistics.median(ratios):.2f} of {first} ({min(ratios):.2f} to {max(ratios):.2f}); "
            f"{middle['reading']:.1%} of the time in reading; "
            f"RssAnon {middle['RssAnon']:.0f} MB, RssFile {middle['RssFile']:.0f} MB, "
            f"{middle['faults']:,.0f} waits, {middle['read']:.1f} bytes read for each used; n = {len(found)}"
        )


def main() -> None:
    """Measure all, or one thing in a container."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", help="a Docker image with Python")
    parser.add_argument("--limit", type=int, default=1024, help="megabytes")
    parser.add_argument("--models", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--asking", choices=("yes", "no"), default="yes")
    parser.add_argument("--mount", type=Path, nargs="*", default=[])
    parser.add_argument("--folder", type=Path, help="where the stores are made")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        folder, model = given.child
        print(json.dumps(train(Path(folder), model, given.seconds, asking=given.asking == "yes")))
        return
    place = runtime.resolve("cpu", "auto", "auto")
    print(f"{platform.machine()} {place}, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}")
    print(f"Python {platform.python_version()}, limit {given.limit} MB, {given.seconds:g} s each", flush=True)
    for side in sorted({TASKS[model][0] for model in given.models}):
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            for size, share in SIZES.items():
                make(Path(name) / size, side, share * given.limit * 2**20)
            for model in [model for model in given.models if TASKS[model][0] == side]:
                runs: dict[str, list[dict[str, Any]]] = {size: [] for size in SIZES}
                for _ in range(given.times):
                    for size, found in runs.items():
                        found.append(contained(given, Path(name) / size, model))
                print(f"{model}, {side} pixels, batches of {TASKS[model][1]}", flush=True)
                told(runs)


if __name__ == "__main__":
    main()
