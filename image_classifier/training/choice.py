"""What a training does where nothing is said: the model, and the size of its images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from image_classifier.data.outline import outline
from image_classifier.settings.config import Config
from image_classifier.settings.database import AS_USUAL, Access
from image_classifier.settings.layers import DEFAULT, Kind, Layer, Origin, dataset_of, latest
from image_classifier.settings.names import NO_WEIGHTS, PUBLISHED_WEIGHTS

_SMALL = 16  # pixels a side: up to here `cnn`, which sees such images whole


def default_model(
    layers: Sequence[Layer], experiments_folder: Path, access: Access = AS_USUAL
) -> tuple[str | None, Origin]:
    """The model where no layer names one: the parent's, else the default for such data; and why."""
    if latest(layers, "model") is not None:
        return None, DEFAULT
    parent = latest(layers, "pretrained_model")
    model = None if parent in (None, NO_WEIGHTS, *PUBLISHED_WEIGHTS) else _model_of(experiments_folder / str(parent))
    if model:
        return model, Origin(Kind.PARENT, f"the card of {parent}")
    return _by_the_data(layers, access)


def preparation_of(config: Config, dataset_folder: str, experiments_folder: Path, access: Access) -> dict[str, Any]:
    """How a training with these settings would have its data prepared."""
    if config.pretrained_model is None:
        return config.data_settings()
    from image_classifier.training import parent  # noqa: PLC0415  (torch, which only a parent needs here)

    return parent.preparation(config, dataset_folder, parent.input_of(config, experiments_folder), access)


def _by_the_data(layers: Sequence[Layer], access: Access) -> tuple[str, Origin]:
    """The default model for such data, and why."""
    found = outline(dataset_of(layers), _SMALL, access)
    if found.is_table:
        return "dense", _because(found.words)
    asked = str(latest(layers, "image_size") or "")
    if asked.isdecimal():
        return ("cnn" if int(asked) <= _SMALL else "sprint"), _because(f"images prepared at {asked} × {asked} pixels")
    small = found.size is not None and max(found.size) <= _SMALL
    return ("cnn" if small else "sprint"), _because(found.words)


def _because(words: str) -> Origin:
    return Origin(Kind.DATA, f"the data: {words}")


def _model_of(path: Path) -> str | None:
    """The model that a parent's card names; None if it has no card."""
    from image_classifier.model import artifact  # noqa: PLC0415  (torch, which most settings do not need)

    name = (artifact.load(path).card or {}).get("settings", {}).get("model")
    return None if name is None else str(name)
