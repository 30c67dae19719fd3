"""Prepare: make a dataset's store, or find that it is made, and print its digest."""

import argparse
import logging
from pathlib import Path

from image_classifier.data import preparing
from image_classifier.stages import settings

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> int:
    """Print the digest of the store that training with the same settings would use."""
    settled = settings.settle(settings.layers(arguments), Path("experiments"))
    config = settled.composition.config
    store = preparing.prepare(
        settled.dataset_folder, cache_folder=settings.cache_folder(arguments), output=arguments.output,
        **settings.data(config),
    )  # fmt: skip
    counts = ", ".join(f"{len(split.labels)} {name}" for name, split in store.splits.items())
    height, width, channels = store.shape
    logger.info("%d classes, %s, %d×%d×%d, at %s", len(store.classes), counts, height, width, channels, store.folder)
    print(store.digest)
    return 0
