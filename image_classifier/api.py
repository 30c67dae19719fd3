"""What `from image_classifier import …` gives: train from Python, and open what was trained."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from image_classifier import composition, runs, tracking
from image_classifier.config import Config
from image_classifier.runs import Run
from image_classifier.stages import restoring, settings
from image_classifier.stages import train as stage


class TrainedRun(Run):
    """A finished run's files, and its network."""

    def model(self, device: torch.device | str = "cpu") -> nn.Module:
        """The trained model in evaluation mode."""
        return restoring.model_of(self, device)


def train(
    config: Config | None = None,
    *,
    dataset_folder: str | Path,
    experiment_name: str,
    run_name: str,
    experiments_folder: str | Path = "experiments",
    cache_folder: str | Path | None = None,
    resume: bool = False,
    tracking_uri: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> TrainedRun:
    """The finished run; what `config` leaves unset comes from the model's recipe.

    A run that could not be sent to the tracking server is complete all the same; a warning says so.
    """
    data = composition.Layer("dataset_folder", {"dataset_folder": str(dataset_folder)})
    request = stage.Request(
        experiment_name, run_name, [data, composition.code_layer(config or Config())], Path(experiments_folder),
        Path(cache_folder) if cache_folder else settings.default_cache(), resume,
        tracking.settle(tracking_uri, Path(experiments_folder)), dict(tags or {}),
    )  # fmt: skip
    return _with_model(stage.train(request)[0])


def load_run(run: str | Path, experiments_folder: str | Path = "experiments") -> TrainedRun:
    """A finished run by its folder, or by `experiment/run` under the experiments folder."""
    return _with_model(runs.find(str(run), Path(experiments_folder)))


def _with_model(run: Run) -> TrainedRun:
    return TrainedRun(run.folder, run.record)
