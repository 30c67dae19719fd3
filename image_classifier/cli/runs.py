"""List runs with their accuracies."""

import argparse
import logging
from typing import Any

from image_classifier import runs
from image_classifier.arguments import add_experiments
from image_classifier.errors import UserError
from image_classifier.runs import Run

logger = logging.getLogger(__name__)

_HEAD = ("run", "status", "model", "data", "accuracy", "95 % interval", "validation", "started")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the runs are."""
    add_experiments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print one line per run, by name."""
    folder = arguments.experiments_folder
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", "--experiments_folder names the folder that holds the runs")
    rows = [_HEAD, *(_row(each) for each in runs.listing(folder))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _report(each: Run) -> dict[str, Any]:
    try:
        return each.metrics()
    except UserError as error:
        logger.warning("%s", error.what)
        return {}


def _row(each: Run) -> tuple[str, ...]:
    figures: tuple[str, str, str] = ("", "", "")
    report: dict[str, Any] = {}
    if each.finished:
        report = _report(each)
    if report:
        low, high = report["accuracy_ci95"]
        val = f"{report['val']['accuracy']:.4f}" if report["val"] else "–"
        figures = (f"{report['accuracy']:.4f}", f"{low:.4f}–{high:.4f}", val)
    settings, timing = each.record["config"], each.record["timing"]
    return (
        each.name,
        each.record["status"],
        settings["model"],
        each.record["dataset_folder"],
        *figures,
        timing["started"],
    )
