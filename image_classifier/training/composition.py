"""The settings of a training, composed for the data that they name: which model it is, and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from image_classifier.data.preparing import is_table
from image_classifier.settings.config import Config
from image_classifier.settings.layers import Composition, Kind, Layer, Origin, compose, latest
from image_classifier.settings.names import DEFAULT_DATASET, PUBLISHED_WEIGHTS


def composed(layers: Sequence[Layer], experiments_folder: Path) -> Composition:
    """The complete settings: the model is the one given, else the parent's, else the default for such data."""
    if latest(layers, "model") is not None:
        return compose(layers)
    parent = latest(layers, "pretrained_model")
    model = None if parent in (None, PUBLISHED_WEIGHTS) else _model_of(experiments_folder / str(parent))
    if model:
        return compose(layers, model, Origin(Kind.PARENT, f"the card of {parent}"))
    return compose(layers, *_by_the_data(str(latest(layers, "dataset_folder") or DEFAULT_DATASET)))


def _by_the_data(dataset_folder: str) -> tuple[str, Origin]:
    """The default model for such data, and why."""
    if is_table(dataset_folder):
        return "dense", Origin(Kind.DATA, "the data: a table")
    return "sprint", Origin(Kind.DATA, "the data: images")


def _model_of(path: Path) -> str | None:
    """The model that a parent's card names; None if it has no card."""
    from image_classifier.model import artifact  # noqa: PLC0415  (torch, which most settings do not need)

    name = (artifact.load(path).card or {}).get("settings", {}).get("model")
    return None if name is None else str(name)


def data_settings(config: Config) -> dict[str, Any]:
    """What of the settings decides how the data is prepared."""
    dropped = tuple(name.strip() for name in (config.drop_columns or "").split(",") if name.strip())
    names = ("image_size", "split_seed", "target_column")
    return {name: getattr(config, name) for name in names} | {"drop_columns": dropped}
