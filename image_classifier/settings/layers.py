"""Partial settings in layers, each from one place. Needs the standard library alone, so that it costs no start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from image_classifier.errors import UserError, suggestion
from image_classifier.settings.addresses import address_of, is_address
from image_classifier.settings.config import FIELDS
from image_classifier.settings.families import recipe_file
from image_classifier.settings.names import DEFAULT_DATASET

_ALSO_IN_FILES = ("dataset_folder",)
_ASIDE = {
    "num_classes": "it is derived from the data",
    "augment": "the settings are flip, translate and cutout",
    "experiment_name": "give it as a flag",
    "run_name": "give it as a flag",
    "db_pass": "secrets do not belong in files",  # pragma: allowlist secret
}


class Kind(StrEnum):
    """What kind of place a setting's value comes from."""

    DEFAULT = "default"
    RECIPE = "recipe"
    DATA = "data"
    PARENT = "parent"
    RUN = "run"  # the run that goes on
    SWEEP = "sweep"
    FILE = "file"
    FLAG = "flag"
    CODE = "code"


@dataclass(frozen=True)
class Origin:
    """Where a setting's value comes from: the kind of place, and its name for people."""

    kind: Kind
    name: str

    @property
    def chosen(self) -> bool:
        """Whether somebody asked for this value."""
        return self.kind in (Kind.FILE, Kind.FLAG, Kind.CODE)

    def __str__(self) -> str:
        return self.name


DEFAULT = Origin(Kind.DEFAULT, "default")
COMMAND_LINE = Origin(Kind.FLAG, "the command line")
CODE = Origin(Kind.CODE, "Python")


def recipe_of(model: str) -> Origin:
    """The model's recipe as the origin of a setting."""
    return Origin(Kind.RECIPE, f"recipe {recipe_file(model)}")


@dataclass(frozen=True)
class Layer:
    """Settings from one place."""

    origin: Origin
    values: Mapping[str, Any]


def flag_layer(flags: Mapping[str, Any]) -> Layer:
    """The settings given on the command line; `None` or an empty text means not given."""
    return checked_layer(COMMAND_LINE, flags)


def code_layer(settings: Mapping[str, Any]) -> Layer:
    """The settings given in Python; `None` means not given."""
    return checked_layer(CODE, settings)


def latest(layers: Sequence[Layer], name: str) -> Any:
    """The value of the last layer that has one, or `None`."""
    return next((layer.values[name] for layer in reversed(layers) if layer.values.get(name) is not None), None)


def dataset_of(layers: Sequence[Layer]) -> str:
    """The data that the layers name, else the default."""
    data = str(latest(layers, "dataset_folder") or DEFAULT_DATASET)
    if is_address(data):
        address_of(data)  # one with a secret in it is refused here, before anything shows or records it
    return data


def deciding(layers: Sequence[Layer]) -> dict[str, Layer]:
    """Each setting's last layer, which decides its value."""
    return {name: layer for layer in layers for name in layer.values}


def without_lists(layers: Sequence[Layer]) -> list[Layer]:
    """The layers without the lists that a later layer replaces; one that stays is for a sweep."""
    last, plain = deciding(layers), []
    for layer in layers:
        lists = [name for name, value in layer.values.items() if isinstance(value, list)]
        for name in lists:
            if last[name] is layer:
                raise UserError(
                    f"{name} in {layer.origin} has a list of values",
                    f"image_classifier sweep trains a run for each; --{name} chooses one",
                )
        plain.append(Layer(layer.origin, {name: value for name, value in layer.values.items() if name not in lists}))
    return plain


def checked_layer(origin: Origin, values: Mapping[str, Any]) -> Layer:
    """The layer with these values, but for empty ones; unknown names and what would be interpreted are refused."""
    for name, value in values.items():
        if name not in FIELDS and name not in _ALSO_IN_FILES:
            hint = (
                _ASIDE.get(name) or suggestion(name, [*FIELDS, *_ALSO_IN_FILES]) or "image_classifier config lists all"
            )
            raise UserError(f"{name} in {origin} is not a setting", hint)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and ("${" in each or each == "???"):
                raise UserError(
                    f"{name} in {origin} holds {each!r}, which would be interpreted", "write the value itself"
                )
    return Layer(origin, {name: value for name, value in values.items() if value not in (None, "")})
