"""Seconds of a training step of the default network by how glibc is told to keep memory, in turn.

    python benchmarks/allocator.py [--repeats 5] [--steps 6] [--batch_size 512]

Each measurement is a process of its own, because glibc reads its environment once. `plain` tells it nothing; `mallopt`
is what `image_classifier` does by itself at the start of a training. Processor seconds (all threads, with the kernel's
work for page faults) stand beside the clock's, because other programs disturb them less.
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

from image_classifier import Config, runtime
from image_classifier.composition import compose
from image_classifier.model.building import build

WAYS = {
    "plain": {},
    "MALLOC_*": {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "268435456"},
    "hugetlb": {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
    "mallopt": {},
    "mallopt+hugetlb": {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
}


def steps(count: int, batch_size: int, *, keep: bool) -> list[tuple[float, float]]:
    """Each step's seconds by the clock and of the processor, after the first two, which fill the allocator."""
    place = runtime.resolve(Config(device="cpu"))
    torch.set_num_threads(place.num_threads)
    if keep:
        runtime.keep_freed_memory()
    model = build(compose([], "sprint").config, 10, (32, 32, 3)).train()
    images = torch.rand(batch_size, 3, 32, 32).contiguous(memory_format=torch.channels_last)
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
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    own |= {"OMP_WAIT_POLICY": "PASSIVE", **WAYS[way]}
    done = subprocess.run([*command, "--child", way], env=own, check=True, capture_output=True, text=True)
    return [statistics.median(times) for times in zip(*json.loads(done.stdout), strict=True)]


def main() -> None:
    """Print the median and range of each way, and its median ratio to `plain` of the same round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch_size", type=int, default=512)
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(steps(arguments.steps, arguments.batch_size, keep="mallopt" in arguments.child)))
        return
    rounds = [{way: measure(way, arguments) for way in WAYS} for _ in range(arguments.repeats)]
    place = runtime.resolve(Config(device="cpu"))
    print(f"{platform.machine()} {place}, torch {torch.__version__}, glibc {platform.libc_ver()[1]}")
    print(f"sprint, batches of {arguments.batch_size}, n = {arguments.repeats} processes of {arguments.steps} steps")
    for index, kind in enumerate(("clock", "processor")):
        for way in WAYS:
            times = [each[way][index] for each in rounds]
            ratio = statistics.median(each[way][index] / each["plain"][index] for each in rounds)
            middle = statistics.median(times)
            print(f"{kind:<10}{way:<16} {middle:.3f} s ({min(times):.3f} to {max(times):.3f})  {ratio:.2f} of plain")


if __name__ == "__main__":
    main()
