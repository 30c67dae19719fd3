"""Seconds that the error sets of 10,000 images take beyond reading them: measures, near-duplicates, mining, picture.

    python benchmarks/mining.py [--store FOLDER] [--repeats 7] [--train 50000] [--test 10000]

FOLDER is a prepared store of images, such as CIFAR-10's; without one, images of 32 × 32 smooth noise are drawn, of
which every hundredth test image is a copy. A model's answers are drawn: 6 % wrong, and 26 % of those that have two
certain items. mlxtend's `fpgrowth` and `apriori` find the same frequent sets of the same items, in turn with ours in
one process; what mlxtend does not do (errors, p-values, halves) is not in `frequent sets`. Processor seconds stand
beside the clock's, because other programs disturb them less.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from mlxtend.frequent_patterns import apriori, fpgrowth

from image_classifier.cpus import available_cpus
from image_classifier.data.measures import measures
from image_classifier.data.near_duplicates import near_duplicates
from image_classifier.data.store import Split, Store, open_store
from image_classifier.evaluation import error_sets
from image_classifier.evaluation.items import itemised
from image_classifier.evaluation.itemsets import frequent
from image_classifier.evaluation.metrics import Predictions
from image_classifier.training import mining
from image_classifier.visualization import plot

CLASSES = tuple(f"class {number}" for number in range(10))
LEAST = 50


def drawn(train: int, test: int) -> Store:
    """A store in memory with images that differ in brightness, contrast and colour."""
    random = np.random.default_rng(0)
    splits = {}
    for name, count in (("train", train), ("test", test)):
        coarse = random.normal(size=(count, 8, 8, 3)).astype(np.float32)
        scale = random.uniform(10, 60, (count, 1, 1, 1)).astype(np.float32)
        level = random.uniform(60, 190, (count, 1, 1, 3)).astype(np.float32)
        fine = random.normal(size=(count, 32, 32, 1)).astype(np.float32) * scale / 4
        smooth = (coarse * scale).repeat(4, axis=1).repeat(4, axis=2) + level
        images = np.clip(smooth + fine, 0, 255).astype(np.uint8)
        splits[name] = Split(images, random.integers(0, len(CLASSES), count), None)
    copied = splits["test"].inputs[::100]
    copied[:] = splits["train"].inputs[: len(copied)]
    half = (0.5,) * 3
    return Store(Path(), CLASSES, (32, 32, 3), half, half, "0" * 64, splits, 0, None, draws_test=False)


def answers(store: Store) -> Predictions:
    """6 % wrong, 26 % of the darkest quarter of the fourth class."""
    test, random = store.splits["test"], np.random.default_rng(1)
    brightness = measures(np.asarray(test.inputs)).brightness
    inside = (test.labels == 3) & (brightness < np.quantile(brightness, 0.25))
    wrong = random.random(len(test.labels)) < np.where(inside, 0.26, 0.06)
    classes = len(store.classes)
    predicted = np.where(wrong, (test.labels + random.integers(1, classes, len(wrong))) % classes, test.labels)
    shares = np.full((len(wrong), classes), 0.3 / (classes - 1), np.float32)
    shares[np.arange(len(wrong)), predicted] = 0.7
    return Predictions(test.labels, shares)


def ways(store: Store) -> dict[str, Callable[[], object]]:
    """What is measured, by its name."""
    test, train = (np.array(store.splits[name].inputs) for name in ("test", "train"))
    given = answers(store)
    items = itemised([*mining.known(store, store.classes)], len(given.labels))
    table = pd.DataFrame(items.marks.T)
    share = (LEAST - 0.5) / len(given.labels)
    report = error_sets.mined(items, given, store.classes)
    examples = [[plot.Example(test[number], "cat") for number in each["examples"]] for each in report["sets"][:10]]
    print(f"{len(items.items)} items, {report['nb_tested']} sets, {report['nb_freq_sets']} error sets")
    return {
        "all but the picture": lambda: mining.found(store, given, store.classes),
        "measures of test": lambda: measures(test),
        "near-duplicates": lambda: near_duplicates(test, train),
        "mining": lambda: error_sets.mined(items, given, store.classes),
        "picture": lambda: plot.png(plot.error_sets_figure(report, examples, "images")),
        "frequent sets": lambda: frequent(items.marks, LEAST),
        "mlxtend fpgrowth": lambda: fpgrowth(table, min_support=share, max_len=3),
        "mlxtend apriori": lambda: apriori(table, min_support=share, max_len=3),
    }


def shown(values: list[float]) -> str:
    """The median and the range."""
    return f"median {statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def main() -> None:
    """Print the median and range of each, and how many times longer mlxtend took in the same round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--train", type=int, default=50_000)
    parser.add_argument("--test", type=int, default=10_000)
    asked = parser.parse_args()
    store = open_store(asked.store) if asked.store else drawn(asked.train, asked.test)
    counts = [len(store.splits[name].labels) for name in ("test", "train")]
    print(f"{platform.processor() or platform.machine()}, {available_cpus()} CPUs, numpy {np.__version__}", end=", ")
    print(f"scipy {version('scipy')}, mlxtend {version('mlxtend')}; n = {asked.repeats}")
    print(f"{counts[0]} test images, {counts[1]} to compare with")
    done = ways(store)
    seconds: dict[str, list[float]] = {name: [] for name in done}
    work: dict[str, list[float]] = {name: [] for name in done}
    for round_ in range(asked.repeats + 1):
        for name, way in done.items():
            started, used = time.perf_counter(), time.process_time()
            way()
            if round_:  # the first round imports and warms up
                seconds[name].append(time.perf_counter() - started)
                work[name].append(time.process_time() - used)
    for name in done:
        print(f"{name:<20} {shown(seconds[name])}, processor {shown(work[name])}")
    for name in ("mlxtend fpgrowth", "mlxtend apriori"):
        ratios = [one / two for one, two in zip(work[name], work["frequent sets"], strict=True)]
        print(f"{name} / ours, processor: {shown(ratios)}")


if __name__ == "__main__":
    main()
