"""What `from image_classifier import …` gives: train from Python, compose settings, and open what was trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from image_classifier import files, masking, runs, tracking
from image_classifier.runs import Run
from image_classifier.settings import layers
from image_classifier.settings.composition import compose as compose_layers
from image_classifier.settings.composition import config_layer, file_layer
from image_classifier.settings.config import Config
from image_classifier.settings.database import Access
from image_classifier.settings.layers import Layer
from image_classifier.training import train as training
from image_classifier.training.trained import model_of


def compose(*config_files: str | Path, **settings: Any) -> Config:
    """The complete settings of a model: its recipe, then YAML files, then what is given by name; later wins."""
    given = [*(file_layer(Path(path)) for path in config_files), layers.code_layer(settings)]
    return compose_layers(given).config


class TrainedRun(Run):
    """A finished run's files, and its network."""

    def model(self, device: torch.device | str = "cpu") -> nn.Module:
        """The trained model in evaluation mode."""
        return model_of(self, device)


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
    db_connect: str | Path | None = None,
    db_pass_file: str | Path | None = None,
    **settings: Any,
) -> TrainedRun:
    """The finished run with these settings: `train(model="cnn", num_epochs=5, …)`; the others are the recipe's.

    A `Config` gives all of them, and settings by name change it. A run that could not be sent to the tracking server
    is complete all the same; a warning says so.
    """
    given = [] if config is None else [config_layer(config, layers.CODE)]
    request = training.TrainingRequest(
        experiment_name=experiment_name,
        run_name=run_name,
        layers=[*given, Layer(layers.CODE, {"dataset_folder": str(dataset_folder)}), layers.code_layer(settings)],
        experiments_folder=Path(experiments_folder),
        cache_folder=Path(cache_folder) if cache_folder else files.user_cache(),
        resume=resume,
        tracking=tracking.resolve(tracking_uri, Path(experiments_folder)),
        tags={name: masking.masked(str(value)) for name, value in (tags or {}).items()},
        access=Access(_path(db_connect), None, _path(db_pass_file)),
    )
    return _with_model(training.train(request)[0])


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def load_run(run: str | Path, experiments_folder: str | Path = "experiments") -> TrainedRun:
    """A finished run by its folder, or by `experiment/run` under the experiments folder."""
    return _with_model(runs.find(str(run), Path(experiments_folder)))


def _with_model(run: Run) -> TrainedRun:
    return TrainedRun(run.folder, run.record)
