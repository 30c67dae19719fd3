"""Send a finished run to the tracking server, whatever of it is not there yet."""

import argparse

from image_classifier import files, runs, tracking
from image_classifier.arguments import add_run, add_tracking
from image_classifier.errors import NotSentError, UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and where it is sent."""
    add_run(parser)
    add_tracking(parser)


def run(arguments: argparse.Namespace) -> int:
    """Send the run and say where it is."""
    where = tracking.resolve(arguments.tracking_uri, arguments.experiments_folder)
    if where is None:
        raise UserError("tracking is off", "--tracking_uri, or MLFLOW_TRACKING_URI, says where to send the run")
    sent = runs.find(arguments.run, arguments.experiments_folder)
    with files.lock(sent.folder, f"{sent.folder} is in use by another process"):
        if not tracking.send(sent, where):
            raise NotSentError(
                f"{sent.name} was not sent (above)", "give the same command when the server answers again"
            )
    print(f"{sent.name} is on {where.shown}")
    return 0
