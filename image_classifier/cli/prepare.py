"""Make the prepared store of a dataset and print its digest."""

import argparse
import logging
from pathlib import Path

from image_classifier.arguments import add_data, add_settings, cache_folder, layers
from image_classifier.data import preparing
from image_classifier.training.composition import composed, data_settings

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The data, where its store goes, and the settings that decide how it is prepared."""
    add_data(parser)
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write the store here and not into the cache")
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the digest of the store that training with the same settings would use."""
    composition = composed(layers(arguments), Path("experiments"))
    store = preparing.prepare(
        composition.dataset_folder, cache_folder=cache_folder(arguments), output=arguments.output,
        **data_settings(composition.config),
    )  # fmt: skip
    counts = ", ".join(f"{len(split.labels)} {name}" for name, split in store.splits.items())
    height, width, channels = store.shape
    logger.info("%d classes, %s, %d×%d×%d, at %s", len(store.classes), counts, height, width, channels, store.folder)
    print(store.digest)
    return 0
