"""The steps of a training: the run, its figures measured again from its files, its frequent error sets."""

import os
from pathlib import Path

from image_classifier.pipelines import command
from image_classifier.pipelines.work import Work
from image_classifier.settings.names import OFF, TRACKING_URI

SIMULATION = "simulation"
EVALUATION = "evaluation.json"


def train(work: Work, inputs: dict[str, str]) -> dict[str, str]:
    """The run folder, as `image_classifier_trainer` makes it."""
    experiments = work.folder / "experiments"
    command.run([
        command.program("image_classifier_trainer"), f"--experiment_name={work.parameters.use_case}",
        f"--run_name={work.scope}", f"--experiments_folder={experiments}",
        f"--dataset_folder={work.fetched(inputs['store'])}", f"--config={work.settings()}",
        f"--cache_folder={work.folder / 'cache'}", *tracking(work),
    ])  # fmt: skip
    return {"run": work.publish("run", experiments / work.parameters.use_case / work.scope)}


def tracking(work: Work) -> list[str]:
    """Words that keep the run to itself: a simulation's, and one that would be sent to a store in this container.

    A server's address may hold a password, so it stays in the environment, where the trainer looks for it.
    """
    elsewhere = work.parameters.run_type != SIMULATION and os.environ.get(TRACKING_URI)
    return [] if elsewhere else [f"--tracking_uri={OFF}"]


def evaluate(work: Work, inputs: dict[str, str]) -> dict[str, str]:
    """The figures on the test split, measured again with the stored model."""
    run, folder = _run(work, inputs), work.folder / "evaluation"
    measure = ("evaluate", str(run), f"--output={folder / EVALUATION}")
    command.run([command.program("image_classifier"), *measure, *_data(work, inputs)])
    return {"evaluation": work.publish("evaluation", folder)}


def set_mining(work: Work, inputs: dict[str, str]) -> dict[str, str]:
    """The run folder with its frequent error sets, as `image_classifier mine` writes them."""
    run = _run(work, inputs)
    command.run([command.program("image_classifier"), "mine", str(run), *_data(work, inputs)])
    return {"mined": work.publish("mined", run)}


def _run(work: Work, inputs: dict[str, str]) -> Path:
    """The run folder that `train` stored."""
    return work.fetched(inputs["run"])


def _data(work: Work, inputs: dict[str, str]) -> list[str]:
    """The store and a cache; in this container the run's data lie where they did not in the one that trained."""
    return [f"--dataset_folder={work.fetched(inputs['store'])}", f"--cache_folder={work.folder / 'cache'}"]
