"""Say which run is better, and whether the data can tell."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from image_classifier import files, runs
from image_classifier.arguments import add_cache, add_experiments, cache_folder
from image_classifier.errors import UserError
from image_classifier.evaluation.comparison import Compared, compare
from image_classifier.evaluation.metrics import Predictions
from image_classifier.runs import Run

_FORMS = (".md", ".json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The runs to compare, and where the comparison is written."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the first is what the others are compared with")
    add_experiments(parser)
    add_cache(parser)
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
    comparison = compare([compared(each) for each in found], notes=[*_changes(found, arguments)])
    if output and output.suffix == ".json":
        files.write_json(output, comparison.to_json())
    elif output:
        files.write_text(output, comparison.to_markdown())
    print(comparison.to_markdown(), end="")
    return 0


def _changes(found: Sequence[Run], arguments: argparse.Namespace) -> Iterator[str]:
    """What sets the data of each run apart from that of the first, where the cache still has both."""
    first = found[0]
    others = [each for each in found[1:] if each.card["dataset_digest"] != first.card["dataset_digest"]]
    if others:
        from image_classifier.data.versions import difference, kept

        cache = cache_folder(arguments)
        before = kept(cache, first.card["dataset_digest"])
        for each in others if before else ():
            now = kept(cache, each.card["dataset_digest"])
            if before and now:
                yield f"The data of {each.name} is not that of {first.name}: {difference(before, now).words}."


def compared(each: Run) -> Compared:
    """A run's answers on its test split."""
    arrays = each.predictions()
    test = Predictions(arrays["test_labels"], arrays["test_probabilities"])
    return Compared(each.name, each.card["dataset_digest"], test.labels, test.predicted, each.classes)
