"""Find where a finished run's model fails: groups of test examples that are wrong more often than chance allows."""

import argparse

from image_classifier import files, runs, signals
from image_classifier.arguments import access, add_cache, add_database, add_run, cache_folder
from image_classifier.errors import UserError
from image_classifier.evaluation import error_sets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and where its data is."""
    add_run(parser)
    parser.add_argument("--dataset_folder", metavar="D", help="where the run's own data is, if it has moved")
    add_database(parser)
    add_cache(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the run's error sets again, and say what they are."""
    found = runs.find(arguments.run, arguments.experiments_folder)
    with signals.postponed():
        from image_classifier.training import changes, measuring, mining

    cache = cache_folder(arguments)
    store = measuring.opened(found, arguments.dataset_folder, cache, access(arguments))
    if not measuring.is_own(store, found):
        raise UserError(
            f"{arguments.dataset_folder} is not the data of {found.name}: {changes.since(found, store, cache)}",
            "error sets are those of the run's own test examples: give its own data",
        )
    with files.lock(found.folder, f"{found.folder} is in use by another process"):
        report = mining.write_error_sets(found, store)
        runs.refresh(runs.read(found.folder), runs.MINED)  # tracking may have noted an id in it
    print("\n".join([f"error sets  {error_sets.headline(report)}", *error_sets.lines(report)]))
    return 0
