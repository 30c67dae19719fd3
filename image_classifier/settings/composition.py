"""Layers and recipes composed to one complete `Config`, every value typed and checked."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from image_classifier.errors import UserError, one_line
from image_classifier.settings.config import FIELDS, Config, check, expected
from image_classifier.settings.families import read_recipe
from image_classifier.settings.layers import (
    DEFAULT,
    Kind,
    Layer,
    Origin,
    checked_layer,
    dataset_of,
    deciding,
    recipe_of,
)
from image_classifier.settings.names import NO_WEIGHTS

_MAX_FILE_BYTES = 1 << 20
_ONE_PER_LINE = "write one `name: value` per line; a list of values is for image_classifier sweep"
_A_FILE = "--config takes a YAML file of settings"
_OR_A_LIST = "write one `name: value` or `name: [value, value]` per line"


@dataclass(frozen=True)
class Composition:
    """The composed settings, where each came from, and the data they are for."""

    config: Config
    origins: Mapping[str, Origin]
    dataset_folder: str

    def values(self) -> dict[str, Any]:
        """Each setting's value; `None` also for a setting that the model does not have."""
        lacking = [
            name for name, origin in self.origins.items() if origin == DEFAULT and FIELDS[name].metadata["recipe"]
        ]
        values = dataclasses.asdict(self.config) | dict.fromkeys(lacking)
        if values["pretrained_model"] is None and self.origins["pretrained_model"] != DEFAULT:
            values["pretrained_model"] = NO_WEIGHTS  # an empty value would leave it to the recipe
        return values

    def replace(self, name: str, value: Any, origin: Origin) -> "Composition":
        """The same with another value of one setting."""
        config = dataclasses.replace(self.config, **{name: value})
        return dataclasses.replace(self, config=config, origins={**self.origins, name: origin})


def compose(layers: Sequence[Layer], model: str | None = None, origin: Origin = DEFAULT) -> Composition:
    """The complete settings: defaults, the model's recipe, then `layers` in order.

    `model` and its `origin` hold where no layer names a model.
    """
    deciding_layer = deciding(layers).get("model")
    if deciding_layer:
        model, origin = str(deciding_layer.values["model"]), deciding_layer.origin
    if model is None:
        raise UserError("no model is named", "name one: model, as cnn or resnet18")
    check(FIELDS["model"], model, origin)
    recipe = Layer(recipe_of(model), parse(read_recipe(model), str(recipe_of(model))))
    merged = OmegaConf.merge(OmegaConf.structured(Config), {"model": model})
    origins = dict.fromkeys(FIELDS, DEFAULT) | {"model": origin}
    for layer in (recipe, *layers):
        for name, value in layer.values.items():
            if name not in FIELDS:
                continue
            if FIELDS[name].metadata["recipe"] and name not in recipe.values:
                raise _foreign(name, model, layer)
            merged = _with(merged, name, value, layer.origin)
            origins[name] = layer.origin
    config: Any = OmegaConf.to_object(merged)
    return Composition(config, origins, dataset_of(layers))


def _with(merged: Any, name: str, value: Any, origin: Origin) -> Any:
    """The settings with this value, if it is one that the setting can have."""
    if name == "pretrained_model" and value == NO_WEIGHTS:
        value = None
    try:
        merged = OmegaConf.unsafe_merge(merged, {name: value})  # as merge, without a copy of all settings for each
    except OmegaConfBaseException as error:
        raise UserError(
            f"{name} must be {expected(FIELDS[name])}, not {value!r} (from {origin})", FIELDS[name].metadata["help"]
        ) from error
    check(FIELDS[name], getattr(merged, name), origin)
    return merged


def _foreign(name: str, model: str, layer: Layer) -> UserError:
    hint = "leave it out, or choose another model"
    return UserError(f"{name} is not a setting of {model} (from {layer.origin})", hint)


def config_layer(config: Config, origin: Origin, **more: Any) -> Layer:
    """A complete `Config` as a layer: every setting that its model has counts as given; `more` stands beside them."""
    recipe = parse(read_recipe(config.model), str(recipe_of(config.model)))
    own = [name for name, about in FIELDS.items() if name in recipe or not about.metadata["recipe"]]
    return Layer(origin, {name: getattr(config, name) for name in own} | more)


def file_layer(path: Path, *, lists: bool = False) -> Layer:
    """The settings in one YAML file; one that could do more than set values is refused before it is interpreted.

    With `lists` a setting may have several values, as in the grid of a sweep.
    """
    return checked_layer(Origin(Kind.FILE, str(path)), parse(read(path, _A_FILE), str(path), lists=lists))


def read(path: Path, hint: str) -> str:
    """The text of a small file; one that cannot be it is refused, and `hint` says what was expected."""
    try:
        if not path.is_file():
            raise UserError(f"{path} is not a file", hint)
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise UserError(f"{path} is larger than 1 MiB", hint)
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text", hint) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error


def parse(text: str, origin: str, *, lists: bool = False) -> dict[str, Any]:
    """The flat mapping in a YAML text; aliases, tags, `${`, duplicate keys and nesting are refused.

    With `lists` a value may be a list of values.
    """
    try:
        _refuse_tricks(text, origin, lists=lists)
        values = yaml.safe_load(text)
        if isinstance(values, dict):
            OmegaConf.create(text)  # refuses duplicate keys, and reads 1e-3 as a number where plain YAML 1.1 does not
    except (yaml.YAMLError, OmegaConfBaseException, ValueError) as error:
        raise UserError(f"{origin} is not valid YAML: {one_line(error)}", _ONE_PER_LINE) from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise UserError(f"{origin} holds no settings but a {type(values).__name__}", _ONE_PER_LINE)
    return {str(name): value for name, value in values.items()}


def _refuse_tricks(text: str, origin: str, *, lists: bool) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        where = f"line {event.start_mark.line + 1} of {origin}" if event.start_mark else origin
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise UserError(f"{where} uses an alias", "write the value itself")
        tag = getattr(event, "tag", None)
        if tag:
            raise UserError(f"{where} uses a tag ({tag})", "write the value itself")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > 1 + lists or (depth == 2 and isinstance(event, yaml.MappingStartEvent)):
            what = "neither a single value nor a list of values" if lists else "not a single value"
            raise UserError(f"{where} is {what}", _OR_A_LIST if lists else _ONE_PER_LINE)
        if isinstance(event, yaml.ScalarEvent) and "${" in event.value:
            raise UserError(f"{where} uses ${{…}}, which could read secrets", "write the value itself")
