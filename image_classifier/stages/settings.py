"""From flags and files to composed settings, shared by the stages that take settings."""

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier import composition, config
from image_classifier.composition import Composition, Layer
from image_classifier.config import DEFAULT_IMAGE_MODEL, DEFAULT_TABLE_MODEL, PUBLISHED_WEIGHTS, Config
from image_classifier.data.sources.table import is_table
from image_classifier.errors import UserError

DEFAULT_DATASET = "data/cifar_dataset"


@dataclass(frozen=True)
class Settled:
    """Composed settings and the data they are for."""

    composition: Composition
    dataset_folder: str


def layers(arguments: argparse.Namespace, *, lists: bool = False) -> list[Layer]:
    """The settings given in files and by flags, later ones winning; with `lists` those in files may be lists."""
    flags: dict[str, Any] = {name: getattr(arguments, name) for name in config.FIELDS}
    flags["dataset_folder"] = arguments.dataset_folder
    given = [*(composition.file_layer(path, lists=True) for path in arguments.config), composition.flag_layer(flags)]
    return given if lists else list(_without_lists(given))


def _without_lists(given: Sequence[Layer]) -> Iterator[Layer]:
    """The layers without the lists that a later layer replaces; one that stays is for a sweep."""
    last = composition.deciding(given)
    for layer in given:
        lists = [name for name, value in layer.values.items() if isinstance(value, list)]
        for name in lists:
            if last[name] is layer:
                raise UserError(
                    f"{name} in {layer.origin} has a list of values",
                    f"image_classifier sweep trains a run for each; --{name} chooses one",
                )
        yield Layer(layer.origin, {name: value for name, value in layer.values.items() if name not in lists})


def settle(given: Sequence[Layer], experiments_folder: Path) -> Settled:
    """The complete settings: the model is the one given, else the parent's, else the default for images."""
    parent = composition.latest(given, "pretrained_model")
    unsaid = composition.latest(given, "model") is None and parent not in (None, PUBLISHED_WEIGHTS)
    fallback = _parents_model(experiments_folder / str(parent)) if unsaid else None
    origin = f"the card of {parent}" if fallback else "the data"
    dataset = str(composition.latest(given, "dataset_folder") or DEFAULT_DATASET)
    usual = DEFAULT_TABLE_MODEL if is_table(dataset) else DEFAULT_IMAGE_MODEL
    return Settled(composition.compose(given, fallback or usual, origin), dataset)


def _parents_model(path: Path) -> str | None:
    from image_classifier.model import artifact  # noqa: PLC0415  (torch, which most settings do not need)

    name = (artifact.load(path).card or {}).get("settings", {}).get("model")
    return None if name is None else str(name)


def data(config: Config) -> dict[str, Any]:
    """What of the settings decides how the data is prepared."""
    dropped = tuple(name.strip() for name in (config.drop_columns or "").split(",") if name.strip())
    names = ("image_size", "split_seed", "target_column")
    return {name: getattr(config, name) for name in names} | {"drop_columns": dropped}


def cache_folder(arguments: argparse.Namespace) -> Path:
    """Where prepared stores are kept."""
    given: Path | None = arguments.cache_folder
    return given or default_cache()


def default_cache() -> Path:
    """The user's cache folder for this program."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(base).expanduser() / "image_classifier"
    except RuntimeError as error:  # a user without a home, as in a container
        raise UserError(
            "there is no home folder to keep prepared stores in", "give --cache_folder, or set HOME"
        ) from error
