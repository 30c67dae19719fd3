"""The grid of a sweep: from settings that may be lists to one child for each combination, checked and named."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.errors import UserError
from image_classifier.settings.composition import compose
from image_classifier.settings.config import Config, spelled
from image_classifier.settings.database import AS_USUAL, Access
from image_classifier.settings.layers import Layer, Origin, deciding
from image_classifier.sweep.naming import child_name
from image_classifier.training.choice import default_model

MOST_CHILDREN = 1000
_SCALARS = (str, int, float, bool, type(None))

Axes = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Child:
    """One combination: its run's name, its value on each axis, and the settings that make it."""

    name: str
    values: Mapping[str, Any]
    layers: Sequence[Layer]
    config: Config
    dataset_folder: str


def axes(layers: Sequence[Layer]) -> dict[str, list[Any]]:
    """The settings that are lists, with their values; a later layer's single value takes an earlier list's place."""
    last = deciding(layers)
    found = {name: layer.values[name] for name, layer in last.items() if isinstance(layer.values[name], list)}
    if not found:
        raise UserError("no setting has a list of values", "write at least one, as `learning_rate: [0.1, 0.01]`")
    for name, values in found.items():
        _check_axis(name, values, last[name].origin)
    count = 1
    for values in found.values():
        count *= len(values)
    if count > MOST_CHILDREN:
        sizes = " × ".join(f"{len(values)} of {name}" for name, values in found.items())
        raise UserError(
            f"{sizes} are {count:,} runs; a sweep has at most {MOST_CHILDREN:,}", "give fewer values, or several sweeps"
        )
    return {name: [None if value == "" else value for value in values] for name, values in found.items()}


def _check_axis(name: str, values: Sequence[Any], origin: Origin) -> None:
    if name == "dataset_folder":
        raise UserError(
            f"dataset_folder in {origin} is a list: accuracies on different data cannot be compared",
            "give one, and a sweep for each of the others",
        )
    if not values:
        raise UserError(f"{name} in {origin} is an empty list", "give it a value, or leave it out")
    seen: dict[Any, Any] = {}
    for value in values:
        if not isinstance(value, _SCALARS):
            raise UserError(f"{name} in {origin} holds {value!r}", "a list holds numbers, words, true, false or null")
        same = _identity(value)
        if same in seen:
            twice = "twice" if repr(seen[same]) == repr(value) else f"as {seen[same]} and as {value}"
            raise UserError(f"{name} in {origin} has one value {twice}", "give each value once")
        seen[same] = value


def _identity(value: Any) -> Any:
    """What two spellings of one value share: 1e-3, which YAML reads as a word, and 0.001."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value)
    try:
        return float(value)
    except ValueError:
        return value


def children(layers: Sequence[Layer], grid: Axes, experiments_folder: Path, access: Access = AS_USUAL) -> list[Child]:
    """One child for each combination in the order of the lists, the last one changing fastest."""
    found: list[Child] = []
    taken: dict[Config | str, Child] = {}
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        own = list(_chosen(layers, chosen))
        composition = compose(own, *default_model(own, experiments_folder, access))
        config = composition.config
        own_values = {name: None if value is None else getattr(config, name) for name, value in chosen.items()}
        child = Child(child_name(own_values), own_values, own, config, composition.dataset_folder)
        same = taken.get(config) or taken.get(child.name)
        if same:
            raise UserError(
                f"{_in_words(same)} and {_in_words(child)} are the same run",
                "leave one of the two values out of the grid",
            )
        taken |= {config: child, child.name: child}
        found.append(child)
    return found


def _chosen(layers: Sequence[Layer], chosen: Mapping[str, Any]) -> Iterator[Layer]:
    """The layers with one value in the place of each list; a list that a later layer has replaced is left out."""
    last = deciding(layers)
    for layer in layers:
        values = {name: value for name, value in layer.values.items() if not isinstance(value, list)}
        own = {name: value for name, value in chosen.items() if last[name] is layer and value is not None}
        yield Layer(layer.origin, values | own)


def _in_words(child: Child) -> str:
    return ", ".join(f"{name} {spelled(value)}" for name, value in child.values.items())
