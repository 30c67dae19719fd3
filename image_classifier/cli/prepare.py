"""Make the prepared store of a dataset and print its digest."""

import argparse
import logging
from pathlib import Path

from image_classifier import signals
from image_classifier.arguments import access, add_data, add_experiments, add_settings, cache_folder, layers
from image_classifier.data import preparing
from image_classifier.data.store import Store, is_store
from image_classifier.errors import UserError
from image_classifier.settings.composition import Composition, compose
from image_classifier.settings.names import NAMED_DATA
from image_classifier.training.choice import default_model

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The data, where its store goes, and the settings that decide how it is prepared."""
    add_data(parser)
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write the store here and not into the cache")
    text = "write a page that shows the data: its classes, duplicates, labels that look wrong, broken files"
    parser.add_argument("--report", type=Path, metavar="FILE.html", help=text)
    add_experiments(parser)
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the digest of the store that training with the same settings would use."""
    given = layers(arguments)
    composition = compose(given, *default_model(given, arguments.experiments_folder, access(arguments)))
    if arguments.output is not None:
        _refuse_inside(arguments.output, composition.dataset_folder)
    if arguments.report is None:
        return _tell(_prepared(arguments, composition))
    with signals.postponed():
        from image_classifier.data_card import making
    making.refuse(arguments.report, composition.dataset_folder, arguments.output)
    with making.broken_files_written(arguments.report, composition.dataset_folder):
        store = _prepared(arguments, composition)
    making.write(arguments.report, composition.dataset_folder, store, cache_folder(arguments))
    logger.info("data card  %s", arguments.report)
    return _tell(store)


def _prepared(arguments: argparse.Namespace, composition: Composition) -> Store:
    return preparing.prepare(
        composition.dataset_folder, cache_folder=cache_folder(arguments), output=arguments.output,
        access=access(arguments), **composition.config.data_settings(),
    )  # fmt: skip


def _tell(store: Store) -> int:
    counts = ", ".join(f"{len(split.labels)} {name}" for name, split in store.splits.items())
    height, width, channels = store.shape
    logger.info("%d classes, %s, %d×%d×%d, at %s", len(store.classes), counts, height, width, channels, store.folder)
    print(store.digest)
    return 0


def _refuse_inside(output: Path, dataset_folder: str) -> None:
    """Refuse a store among the images: it would be read as one of their classes, or make them unreadable."""
    folder = Path(dataset_folder).expanduser()
    if dataset_folder in NAMED_DATA or is_store(folder):
        return
    if output.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"--output {output} is inside the data set {dataset_folder}", "choose a folder beside it")
