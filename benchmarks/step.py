"""Seconds of a training step of the default network by how memory is kept and how threads wait, in turn.

    python benchmarks/step.py [--repeats 5] [--steps 6] [--batch_size 512] [--image_size 32]

Each measurement is a process of its own, because glibc and OpenMP read their environment once. `plain` tells glibc
nothing; `ours` is what `image_classifier` does by itself at the start of a training (`runtime.keep_freed_memory`, and
threads that spin for microseconds); in the last two, threads sleep at once or spin for milliseconds. Processor
seconds (all threads, with the kernel's work for page faults) stand beside the clock's, because other programs disturb
them less.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import torch
from torch.nn import functional

from image_classifier import compose, runtime
from image_classifier.main import WAITING
from image_classifier.model.building import build

WAYS = {
    "plain": WAITING,
    "MALLOC_*": WAITING
    | {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "268435456"},
    "hugetlb": WAITING | {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
    "ours": WAITING,
    "ours, sleeping": {"OMP_WAIT_POLICY": "PASSIVE"},
    "ours, spinning": {},
}


def steps(count: int, batch_size: int, side: int, *, keep: bool) -> list[tuple[float, float]]:
    """Each step's seconds by the clock and of the processor, after the first two, which fill the allocator."""
    place = runtime.resolve("cpu", "auto", "auto")
    torch.set_num_threads(place.num_threads)
    if keep:
        runtime.keep_freed_memory()
    model = build(compose(model="sprint"), 10, (32, 32, 3)).train()
    images = torch.rand(batch_size, 3, side, side).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(batch_size) % 10
    seconds = []
    for _ in range(count + 2):
        started = time.perf_counter(), time.process_time()
        with place.autocast():
            logits = model(images)
        functional.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        model.zero_grad()
        seconds.append((time.perf_counter() - started[0], time.process_time() - started[1]))
    return seconds[2:]


def measure(way: str, arguments: argparse.Namespace) -> list[float]:
    """The median step of one process that runs in that way, by the clock and of the processor."""
    command = [sys.executable, __file__, "--steps", str(arguments.steps), "--batch_size", str(arguments.batch_size)]
    command += ["--image_size", str(arguments.image_size)]
    varied = ("MALLOC_", "GLIBC_TUNABLES", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    own = {name: value for name, value in os.environ.items() if not name.startswith(varied)} | WAYS[way]
    done = subprocess.run([*command, "--child", way], env=own, check=True, capture_output=True, text=True)
    return [statistics.median(times) for times in zip(*json.loads(done.stdout), strict=True)]


def main() -> None:
    """Print the median and range of each way, and its median ratio to `plain` of the same round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch_size", type=int, default=512)
    parser.add_argument("--image_size", type=int, default=32)
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        keep = arguments.child.startswith("ours")
        print(json.dumps(steps(arguments.steps, arguments.batch_size, arguments.image_size, keep=keep)))
        return
    rounds = [{way: measure(way, arguments) for way in WAYS} for _ in range(arguments.repeats)]
    place = runtime.resolve("cpu", "auto", "auto")
    print(f"{platform.machine()} {place}, torch {torch.__version__}, glibc {platform.libc_ver()[1]}")
    print(f"sprint, batches of {arguments.batch_size}, {arguments.image_size} pixels,", end=" ")
    print(f"n = {arguments.repeats} processes of {arguments.steps} steps")
    for index, kind in enumerate(("clock", "processor")):
        for way in WAYS:
            times = [each[way][index] for each in rounds]
            ratio = statistics.median(each[way][index] / each["plain"][index] for each in rounds)
            middle = statistics.median(times)
            print(f"{kind:<10}{way:<16} {middle:.3f} s ({min(times):.3f} to {max(times):.3f})  {ratio:.2f} of plain")


if __name__ == "__main__":
    main()
