"""Measure a finished run's model again, or on other data."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_classifier import files, runs, signals
from image_classifier.arguments import access, add_cache, add_database, add_run, cache_folder
from image_classifier.errors import UserError
from image_classifier.runs import Run

if TYPE_CHECKING:
    from image_classifier.data.store import Store

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run or the experiment, what it is measured on, and where the figures are written."""
    text = "a run's folder, or E/R under the experiments folder; or an experiment E: each of its runs is measured"
    add_run(parser, text)
    parser.add_argument("--split", choices=("val", "test"), default="test", help="default: %(default)s")
    parser.add_argument("--dataset_folder", metavar="D", help="measure on this data and leave the run as it is")
    add_database(parser)
    add_cache(parser)
    text = "write the figures here and leave the run as it is"
    parser.add_argument("--output", type=Path, metavar="FILE.json", help=text)
    text = (
        "the same in short, without the figures of each class; of an experiment, first the run with the best validation"
    )
    parser.add_argument("--summary", type=Path, metavar="FILE.json", help=text)


def run(arguments: argparse.Namespace) -> int:
    """Measure a run's model again: into the run itself, or, on other data or for a file, beside it."""
    for flag in ("output", "summary"):
        path = getattr(arguments, flag)
        if path and path.suffix != ".json":
            raise UserError(f"--{flag} {path} does not end in .json", "the figures are written as JSON")
    members = runs.members(arguments.run, arguments.experiments_folder)
    if members:
        return _experiment(members, arguments)
    measured = runs.find(arguments.run, arguments.experiments_folder)
    with signals.postponed():
        from image_classifier.training import measuring, results

    store = _opened(measured, arguments)
    apart = arguments.output or arguments.summary or arguments.split != "test"
    if not apart and measuring.is_own(store, measured):
        measuring.write_again(measured, store)
        print(results.summary(measured))
        return 0
    report = measuring.report(measured, store, arguments.split)
    _write(arguments, report, _brief(report))
    print("\n".join(results.lines(report, measured.noun)))
    return 0


def _opened(measured: Run, arguments: argparse.Namespace) -> "Store":
    """The data to measure on; where it is asked for by the name of the run's own and has changed, that is said."""
    from image_classifier.training import changes, measuring

    given, cache = arguments.dataset_folder, cache_folder(arguments)
    store = measuring.opened(measured, given, cache, access(arguments))
    same = given is not None and changes.same_data(given, measured.record["dataset_folder"])
    if same and not measuring.is_own(store, measured):
        words = changes.since(measured, store, cache)
        logger.info("%s is no longer what %s was trained on: %s", given, measured.name, words)
    return store


def _experiment(members: Sequence[Run], arguments: argparse.Namespace) -> int:
    """Measure every run of an experiment and leave them as they are; in short, with the one that validation chose."""
    with signals.postponed():
        from image_classifier.training import measuring, results

    reports = {}
    for each in members:
        store = _opened(each, arguments)
        report = measuring.report(each, store, arguments.split)
        print("\n".join([each.name, *results.lines(report, each.noun)]))
        reports[each.folder.name] = report
    brief = {name: _brief(report) for name, report in reports.items()}
    best = _chosen(members)
    if best is not None:
        print(f"chosen      {best.name}, by validation")
    chosen = {} if best is None else {"chosen": best.folder.name, **brief[best.folder.name]}
    _write(arguments, reports, {**chosen, "runs": brief})
    return 0


def _chosen(members: Sequence[Run]) -> Run | None:
    """The run with the best validation, if all have one, on the same data."""
    found = [each.metrics()["val"] for each in members]
    if None in found or len({each.card["dataset_digest"] for each in members}) > 1:
        return None
    best = max(range(len(members)), key=lambda index: (found[index]["accuracy"], -found[index]["loss"]))
    return members[best]


def _brief(report: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in ("per_class", "val")}


def _write(arguments: argparse.Namespace, detailed: Mapping[str, Any], brief: Mapping[str, Any]) -> None:
    for path, report in ((arguments.output, detailed), (arguments.summary, brief)):
        if path:
            files.write_json(path, dict(report))
