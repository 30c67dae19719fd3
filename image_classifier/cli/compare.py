"""Say which run is better, and whether the data can tell."""

import argparse
from pathlib import Path

from image_classifier import files, runs
from image_classifier.arguments import add_experiments
from image_classifier.errors import UserError
from image_classifier.evaluation.comparison import Compared, compare
from image_classifier.evaluation.metrics import Predictions
from image_classifier.runs import Run

_FORMS = (".md", ".json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The runs to compare, and where the comparison is written."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the first is what the others are compared with")
    add_experiments(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="FILE.md or FILE.json (default: Markdown on stdout)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison of all runs with the first, or write it."""
    output = arguments.output
    if output and output.suffix not in _FORMS:
        raise UserError(f"--output {output} ends neither in .md nor in .json", "choose one of the two")
    if len(arguments.runs) < 2:
        raise UserError("one run is nothing to compare", "name two runs or more")
    found = [runs.find(name, arguments.experiments_folder) for name in arguments.runs]
    comparison = compare([compared(each) for each in found])
    if output and output.suffix == ".json":
        files.write_json(output, comparison.to_json())
    elif output:
        files.write_text(output, comparison.to_markdown())
    print(comparison.to_markdown(), end="")
    return 0


def compared(each: Run) -> Compared:
    """A run's answers on its test split."""
    arrays = each.predictions()
    test = Predictions(arrays["test_labels"], arrays["test_probabilities"])
    return Compared(each.name, each.card["dataset_digest"], test.labels, test.predicted, each.classes)
