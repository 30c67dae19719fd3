"""One `Config` from four layers, each later one winning: defaults, the model's recipe, files, flags."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from image_classifier.config import FIELDS, Config, check, expected, read_recipe, recipe_name, suggestion
from image_classifier.errors import UserError, one_line

_ALSO_IN_FILES = ("dataset_folder",)
_MAX_FILE_BYTES = 1 << 20
_ONE_PER_LINE = "write one `name: value` per line; a list of values is for image_classifier sweep"
_OR_A_LIST = "write one `name: value` or `name: [value, value]` per line"
_ASIDE = {
    "num_classes": "it is derived from the data",
    "augment": "the settings are flip, translate and cutout",
    "experiment_name": "give it as a flag",
    "run_name": "give it as a flag",
    "db_pass": "secrets do not belong in files",  # pragma: allowlist secret
}


@dataclass(frozen=True)
class Layer:
    """Settings from one place, and that place's name."""

    origin: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Composition:
    """The composed settings and where each came from."""

    config: Config
    origins: Mapping[str, str]


def flag_layer(flags: Mapping[str, Any]) -> Layer:
    """The settings given on the command line; `None` or an empty text means not given."""
    return _layer("the command line", flags)


def file_layer(path: Path, *, lists: bool = False) -> Layer:
    """The settings in one YAML file; one that could do more than set values is refused before it is interpreted.

    With `lists` a setting may have several values, as in the grid of a sweep.
    """
    return _layer(str(path), parse(_read(path), str(path), lists=lists))


def code_layer(config: Config) -> Layer:
    """What a `Config` made in Python sets beyond the defaults."""
    given = {name: getattr(config, name) for name in FIELDS}
    return _layer("Config", {name: value for name, value in given.items() if value != FIELDS[name].default})


def latest(layers: Sequence[Layer], name: str) -> Any:
    """The value of the last layer that has one, or `None`."""
    return next((layer.values[name] for layer in reversed(layers) if layer.values.get(name) is not None), None)


def deciding(layers: Sequence[Layer]) -> dict[str, Layer]:
    """Each setting's last layer, which decides its value."""
    return {name: layer for layer in layers for name in layer.values}


def recipe_origin(model: str) -> str:
    """How a model's recipe is called as the origin of a setting."""
    return f"recipe {recipe_name(model)}.yaml"


def compose(layers: Sequence[Layer], fallback_model: str, fallback_origin: str = "the data") -> Composition:
    """The complete settings: defaults, the model's recipe, then `layers` in order."""
    model = str(latest(layers, "model") or fallback_model)
    check(FIELDS["model"], model, _origin_of("model", layers) or fallback_origin)
    recipe = Layer(recipe_origin(model), parse(read_recipe(model), f"recipe {model}"))
    merged = OmegaConf.structured(Config)
    origins = dict.fromkeys(FIELDS, "default")
    for layer in (recipe, *layers):
        for name, value in layer.values.items():
            if name not in FIELDS:
                continue
            _refuse_foreign(name, value, model, recipe, layer)
            try:
                merged = OmegaConf.merge(merged, {name: value})
            except OmegaConfBaseException as error:
                raise UserError(
                    f"{name} must be {expected(FIELDS[name])}, not {value!r} (from {layer.origin})",
                    FIELDS[name].metadata["help"],
                ) from error
            check(FIELDS[name], getattr(merged, name), layer.origin)
            origins[name] = layer.origin
    config = OmegaConf.to_object(OmegaConf.merge(merged, {"model": model}))
    if origins["model"] == "default":
        origins["model"] = fallback_origin
    return Composition(config, origins)  # type: ignore[arg-type]


def _origin_of(name: str, layers: Sequence[Layer]) -> str:
    return next((layer.origin for layer in reversed(layers) if layer.values.get(name) is not None), "")


def _refuse_foreign(name: str, value: Any, model: str, recipe: Layer, layer: Layer) -> None:
    """A setting that the model's recipe leaves out has no meaning for that model."""
    if FIELDS[name].metadata["recipe"] and name not in recipe.values and value is not None:
        raise UserError(
            f"{name} is not a setting of {model} (from {layer.origin})", "leave it out, or choose another model"
        )


def _layer(origin: str, values: Mapping[str, Any]) -> Layer:
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


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            raise UserError(f"{path} is not a file", "--config takes a YAML file of settings")
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise UserError(f"{path} is larger than 1 MiB", "--config takes a YAML file of settings")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text", "--config takes a YAML file of settings") from error
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


def as_params(composition: Composition, dataset_folder: str) -> str:
    """The settings and the data as flat YAML that DVC reads as a file of parameters, and `--config` as settings."""
    values = {"dataset_folder": dataset_folder, **dataclasses.asdict(composition.config)}
    return yaml.safe_dump(values, sort_keys=False, width=4096, allow_unicode=True)


def as_yaml(composition: Composition) -> str:
    """The settings as YAML that `--config` accepts, each with where it came from as a comment."""
    lines = []
    for name, value in dataclasses.asdict(composition.config).items():
        text = f"{name}: {yaml.safe_dump(value, default_flow_style=True, width=4096).splitlines()[0]}"
        lines.append(f"{text:<32} # {composition.origins[name]}")
    return "\n".join(lines) + "\n"
