"""Train, evaluate and plot: everything for a run."""

import argparse

from image_classifier import signals, tracking
from image_classifier.arguments import access, add_experiments, add_training, cache_folder, layers
from image_classifier.errors import NotSentError
from image_classifier.tracking import entries


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run's name, its data, its settings, and where it is sent."""
    group = parser.add_argument_group("the run")
    group.add_argument("--experiment_name", required=True, metavar="E", help="the folder that related runs share")
    group.add_argument("--run_name", required=True, metavar="R", help="the run is <experiments_folder>/E/R")
    add_experiments(group)
    group.add_argument("--resume", action="store_true", help="go on with an unfinished run")
    add_training(parser, group)


def run(arguments: argparse.Namespace) -> int:
    """Train the run that the command line describes, print its figures and where its files are."""
    with signals.postponed():
        from image_classifier.training.results import summary
        from image_classifier.training.train import TrainingRequest, train

    request = TrainingRequest(
        experiment_name=arguments.experiment_name,
        run_name=arguments.run_name,
        layers=layers(arguments),
        experiments_folder=arguments.experiments_folder,
        cache_folder=cache_folder(arguments),
        resume=arguments.resume,
        tracking=tracking.resolve(arguments.tracking_uri, arguments.experiments_folder),
        tags=entries.tags(arguments.tag),
        access=access(arguments),
    )
    done, sent = train(request)
    print(summary(done))
    if not sent:
        raise NotSentError(
            f"{done.name} is complete, but was not sent (above)", f"image_classifier track {done.folder} sends it"
        )
    return 0
