"""Prepare: make a dataset's store, or find that it is made, and print its digest."""

import argparse
import logging
from pathlib import Path

from image_classifier.config import BUILT_IN_DATA
from image_classifier.data import preparing
from image_classifier.data.store import is_store
from image_classifier.errors import UserError
from image_classifier.stages import settings

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> int:
    """Print the digest of the store that training with the same settings would use."""
    settled = settings.settle(settings.layers(arguments), arguments.experiments_folder)
    config = settled.composition.config
    if arguments.output is not None:
        _refuse_inside(arguments.output, settled.dataset_folder)
    store = preparing.prepare(
        settled.dataset_folder, cache_folder=settings.cache_folder(arguments), output=arguments.output,
        **settings.data(config),
    )  # fmt: skip
    counts = ", ".join(f"{len(split.labels)} {name}" for name, split in store.splits.items())
    height, width, channels = store.shape
    logger.info("%d classes, %s, %d×%d×%d, at %s", len(store.classes), counts, height, width, channels, store.folder)
    print(store.digest)
    return 0


def _refuse_inside(output: Path, dataset_folder: str) -> None:
    """Refuse a store among the images: it would be read as one of their classes, or make them unreadable."""
    folder = Path(dataset_folder).expanduser()
    if dataset_folder in BUILT_IN_DATA or is_store(folder):
        return
    if output.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"--output {output} is inside the data set {dataset_folder}", "choose a folder beside it")
