"""Make the prepared store of a dataset and print its digest."""

import argparse
import logging
from pathlib import Path

from image_classifier import signals
from image_classifier.arguments import access, add_data, add_experiments, add_settings, cache_folder, layers
from image_classifier.data import preparing, uploading
from image_classifier.data.store import Store, is_store
from image_classifier.errors import UserError
from image_classifier.settings.addresses import address_of, is_address
from image_classifier.settings.composition import Composition, compose
from image_classifier.settings.names import NAMED_DATA
from image_classifier.training.choice import default_model, preparation_of

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The data, where its store goes, and the settings that decide how it is prepared."""
    add_data(parser)
    text = "write the store here: a folder, in place of the cache, or s3://bucket/prefix"
    parser.add_argument("--output", metavar="FOLDER|s3://…", help=text)
    text = "write a page that shows the data: its classes, duplicates, labels that look wrong, broken files"
    parser.add_argument("--report", type=Path, metavar="FILE.html", help=text)
    add_experiments(parser)
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the digest of the store that training with the same settings would use."""
    given = layers(arguments)
    composition = compose(given, *default_model(given, arguments.experiments_folder, access(arguments)))
    data, into = composition.dataset_folder, arguments.output
    folder = None if into is None or is_address(into) else Path(into)
    place = uploading.Place(_outside(into, data)) if into and is_address(into) else None
    if folder is not None:
        _refuse_inside(folder, data)
    if arguments.report is None:
        return _tell(_prepared(arguments, composition, folder, place))
    with signals.postponed():
        from image_classifier.data_card import making
    making.refuse(arguments.report, data, folder)
    with making.broken_files_written(arguments.report, data):
        store = _prepared(arguments, composition, folder, place)
    making.write(arguments.report, data, store, cache_folder(arguments))
    logger.info("data card  %s", arguments.report)
    return _tell(store)


def _prepared(
    arguments: argparse.Namespace, composition: Composition, into: Path | None, place: uploading.Place | None
) -> Store:
    folder = composition.dataset_folder
    how = preparation_of(composition.config, folder, arguments.experiments_folder, access(arguments))
    store = preparing.prepare(
        folder, cache_folder=cache_folder(arguments), output=into, access=access(arguments), **how
    )
    if place:
        place.put(store)
    return store


def _tell(store: Store) -> int:
    counts = ", ".join(f"{len(split.labels)} {name}" for name, split in store.splits.items())
    height, width, channels = store.shape
    logger.info("%d classes, %s, %d×%d×%d, at %s", len(store.classes), counts, height, width, channels, store.folder)
    print(store.digest)
    return 0


def _refuse_inside(output: Path, dataset_folder: str) -> None:
    """Refuse a store among the images: it would be read as one of their classes, or make them unreadable."""
    folder = Path(dataset_folder).expanduser()
    if dataset_folder in NAMED_DATA or is_address(dataset_folder) or is_store(folder):
        return
    if output.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"--output {output} is inside the data set {dataset_folder}", "choose a folder beside it")


def _outside(output: str, dataset_folder: str) -> str:
    """The address that the store is put at, if it does not lie among the data."""
    data = address_of(dataset_folder) if is_address(dataset_folder) else None
    if data and f"{address_of(output)}/".startswith(f"{data}/") and address_of(output) != data:
        raise UserError(f"--output {output} is inside the data set {dataset_folder}", "choose an address beside it")
    return output
