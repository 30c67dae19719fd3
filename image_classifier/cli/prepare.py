"""Make the prepared store of a dataset and print its digest."""

import argparse
import logging
from pathlib import Path

from image_classifier.arguments import add_data, add_experiments, add_settings, cache_folder, layers
from image_classifier.data import preparing
from image_classifier.data.store import is_store
from image_classifier.errors import UserError
from image_classifier.settings.composition import compose
from image_classifier.settings.names import BUILT_IN_DATA
from image_classifier.training.choice import default_model

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The data, where its store goes, and the settings that decide how it is prepared."""
    add_data(parser)
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write the store here and not into the cache")
    add_experiments(parser)
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the digest of the store that training with the same settings would use."""
    given = layers(arguments)
    composition = compose(given, *default_model(given, arguments.experiments_folder))
    if arguments.output is not None:
        _refuse_inside(arguments.output, composition.dataset_folder)
    store = preparing.prepare(
        composition.dataset_folder, cache_folder=cache_folder(arguments), output=arguments.output,
        **composition.config.data_settings(),
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
