"""Train every combination of settings, several at a time."""

import argparse

from image_classifier import signals, tracking
from image_classifier.arguments import access, add_experiments, add_training, cache_folder, layers
from image_classifier.errors import NotSentError, UserError
from image_classifier.tracking import entries

MOST_AT_ONCE = 64
_NAMED = 3  # failed runs in the last line; the summary has all
_AGAIN = "the same command tries again, and keeps what is finished"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sweep's name, how many runs at a time, its data, its settings, and where it is sent."""
    group = parser.add_argument_group("the sweep", "a --config in which settings have a list of values is its grid")
    group.add_argument("--experiment_name", required=True, metavar="E", help="the folder of its runs and its table")
    add_experiments(group)
    text = "runs at a time (default: %(default)s); each has its share of the CPUs, unless --num_threads is given"
    group.add_argument("-j", dest="at_once", default="1", metavar="N", help=text)
    add_training(parser, group)


def run(arguments: argparse.Namespace) -> int:
    """Train every combination that is not trained yet; print what came of it and where the table is."""
    with signals.postponed():
        from image_classifier.sweep import record, summary
        from image_classifier.sweep.plan import SweepRequest
        from image_classifier.sweep.sweep import sweep

    request = SweepRequest(
        experiment_name=arguments.experiment_name,
        layers=layers(arguments, lists=True),
        at_once=_at_once(arguments.at_once),
        experiments_folder=arguments.experiments_folder,
        cache_folder=cache_folder(arguments),
        tracking=tracking.resolve(arguments.tracking_uri, arguments.experiments_folder),
        tags=entries.tags(arguments.tag),
        access=access(arguments),
    )
    done, not_sent = sweep(request)
    results = done.results
    print(summary.headline(results))
    print(f"results     {done.folder / record.SUMMARY}")
    if results.failed:
        named = ", ".join(each.name for each in results.failed[:_NAMED]) + " …" * (len(results.failed) > _NAMED)
        raise UserError(f"{len(results.failed)} of {len(done.record['children'])} runs failed: {named}", _AGAIN)
    if not_sent:
        raise NotSentError(f"all runs are complete, but {not_sent} could not be sent (above)", _AGAIN)
    return 0


def _at_once(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_AT_ONCE:
        raise UserError(f"-j {text} is not a number of runs at a time", f"give a whole number from 1 to {MOST_AT_ONCE}")
    return int(text)
