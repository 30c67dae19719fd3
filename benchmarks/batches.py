"""How fast batches come: torchvision's dataset and DataLoader, one vectorised gather, and ours.

    python benchmarks/batches.py [--rounds 5] [--examples 50000]

Flip and crop from 32 x 32 noise; the ways take turns. Then a training loop with 0 to 2 prefetching threads.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from image_classifier.data.batches import Augmentation, Batches
from image_classifier.data.store import Split

SIDE, MARGIN = 32, 2
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
Epoch = Callable[[], Iterator[tuple[torch.Tensor, torch.Tensor]]]


class Images(Dataset[tuple[torch.Tensor, int]]):
    """As a torchvision tutorial has it: a transform per image."""

    def __init__(self, split: Split) -> None:
        self.split = split
        self.transform = v2.Compose(
            [
                v2.ToImage(),
                v2.RandomCrop(SIDE, padding=MARGIN, padding_mode="reflect"),
                v2.RandomHorizontalFlip(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.split.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(np.array(self.split.inputs[index])), int(self.split.labels[index])


def one_gather(split: Split, batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Crop and flip by one index over examples, rows and columns."""
    pixels, labels = torch.from_numpy(split.inputs), torch.from_numpy(split.labels)
    mirror = torch.arange(-MARGIN, SIDE + MARGIN).abs()
    mirror = torch.where(mirror < SIDE, mirror, 2 * (SIDE - 1) - mirror)
    scale, shift = 1 / (255 * torch.tensor(STD)), -torch.tensor(MEAN) / torch.tensor(STD)
    for rows in torch.randperm(len(labels)).split(batch_size):
        down, right = torch.randint(0, 2 * MARGIN + 1, (2, len(rows), 1))
        columns = mirror[right + torch.arange(SIDE)]
        columns = torch.where(torch.rand(len(rows), 1) < 0.5, columns.flip(1), columns)
        chosen = pixels[rows[:, None, None], mirror[down + torch.arange(SIDE)][:, :, None], columns[:, None, :]]
        yield (chosen.float() * scale + shift).permute(0, 3, 1, 2), labels[rows]


def ours(split: Split, batch_size: int, num_workers: int = 0, *, augment: bool = True) -> Batches:
    """Batches as training makes them."""
    augmentation = Augmentation("random", MARGIN, 0) if augment else Augmentation()
    return Batches(
        split,
        np.arange(len(split.labels)),
        batch_size=batch_size,
        mean=MEAN,
        std=STD,
        device=torch.device("cpu"),
        shuffle=True,
        augmentation=augmentation,
        num_workers=num_workers,
    )


def rate(epoch: Epoch, limit: int) -> float:
    """Images a second over at most `limit` images."""
    started, count = time.perf_counter(), 0
    for _, labels in epoch():
        count += len(labels)
        if count >= limit:
            break
    return count / (time.perf_counter() - started)


def compare(title: str, ways: dict[str, tuple[Epoch, int]], rounds: int) -> None:
    """Let the ways take turns and print the median and the spread of each."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (epoch, limit) in ways.items():
            rates[name].append(rate(epoch, limit))
    print(title)
    for name, values in rates.items():
        print(f"  {name:28} median {statistics.median(values):9,.0f}   {min(values):9,.0f} to {max(values):9,.0f}")


def training(split: Split, batch_size: int, num_workers: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """An epoch of a small convolutional network that uses every core."""
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 32, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(32, 64, 3)]
    network = torch.nn.Sequential(*layers, torch.nn.AdaptiveMaxPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 10))
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    for images, labels in ours(split, batch_size, num_workers).epoch(0):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
        yield images, labels


def main() -> None:
    """Print images a second of each way and batch size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--examples", type=int, default=50_000)
    asked = parser.parse_args()
    random = np.random.default_rng(0)
    inputs = random.integers(0, 256, (asked.examples, SIDE, SIDE, 3), np.uint8)
    split = Split(inputs, random.integers(0, 10, asked.examples), None)
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    print(f"{asked.rounds} rounds, {cores} cores, torch {torch.__version__}; images a second")
    for size in (4, 128, 512):
        loader = DataLoader(Images(split), size, shuffle=True, num_workers=2)
        ways: dict[str, tuple[Epoch, int]] = {
            "torchvision, DataLoader": (lambda: iter(loader), 4 * size + 4_000),  # noqa: B023 (used at once)
            "one gather": (lambda: one_gather(split, size), asked.examples // 4),  # noqa: B023
            "ours": (lambda: ours(split, size).epoch(0), asked.examples),  # noqa: B023
            "ours, no augmentation": (lambda: ours(split, size, augment=False).epoch(0), asked.examples),  # noqa: B023
        }
        compare(f"batches of {size}", ways, asked.rounds)
    for size in (4, 512):
        threads: dict[str, tuple[Epoch, int]] = {
            f"training, {number} threads": (lambda number=number: training(split, size, number), 2_000 + 12 * size)  # type: ignore[misc]  # noqa: B023
            for number in (0, 1, 2)
        }
        compare(f"training with batches of {size}", threads, asked.rounds)


if __name__ == "__main__":
    main()
