"""Every setting that can change a result: its type, default, bounds and help text, in one place.

A setting marked `recipe` depends on the model: its value stands in that model's recipe (`recipes/*.yaml`), and a model
whose recipe leaves it out does not have it. This module needs the standard library alone.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.errors import UserError, suggestion
from image_classifier.settings.families import MODELS, TIMM, family, is_model
from image_classifier.settings.names import IMAGENET, NO_WEIGHTS


def setting(
    default: Any,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    numeric: bool = True,
    recipe: bool = False,
) -> Any:
    """A dataclass field that carries its bounds and help text."""
    about = {"help": text, "low": low, "high": high, "choices": choices, "numeric": numeric, "recipe": recipe}
    return dataclasses.field(default=default, metadata=about)


@dataclass(frozen=True)
class StepSettings:
    """What every training in steps is set by: the settings of these names, none of them missing."""

    num_epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    momentum: float
    weight_decay: float
    label_smoothing: float
    warmup: float
    schedule: str


@dataclass(frozen=True, kw_only=True)
class Config:
    """The complete settings of one training; `compose` makes them from a model's name, its recipe and what was given.

    `None` always says something: `image_size` is the images' own, `width` and what a step needs are settings that the
    model does not have, the others are not asked for.
    """

    model: str = setting(dataclasses.MISSING, "network to train; by default chosen by the data", choices=MODELS)
    image_size: int | None = setting(
        None, "side of the prepared images in pixels; by default the published weights' own, else the native size if "
        "all have one, else 64",
        low=4, high=1024,
    )  # fmt: skip
    width: int | None = setting(None, "channels of the narrowest layer (sprint)", low=8, high=1024, recipe=True)
    target_column: str | None = setting(None, "column of a table or manifest that names the class")
    group_column: str | None = setting(
        None, "column of a table or manifest that names what a split may not divide: patient, camera, day"
    )
    drop_columns: str | None = setting(None, "columns of a table that are not read, separated by commas")
    val_fraction: float = setting(0.1, "share of the training split held out to choose the best epoch", low=0, high=0.9)
    split_seed: int = setting(0, "seed of the train/validation/test split", low=0, high=2**53)
    seed: int = setting(0, "seed of initialisation, order and augmentation", low=0, high=2**53)
    num_epochs: int | None = setting(None, "passes over the training split", low=1, high=100_000, recipe=True)
    batch_size: int | None = setting(
        None, "images per step; a recipe's is halved until an epoch has 20 steps, down to 16",
        low=1, high=65_536, recipe=True,
    )  # fmt: skip
    optimizer: str | None = setting(
        None, "sgd, adamw, or muon (orthogonalised momentum for filters, SGD for the rest)",
        choices=("sgd", "adamw", "muon"), recipe=True,
    )  # fmt: skip
    learning_rate: float | None = setting(None, "peak learning rate", low=1e-9, high=100, recipe=True)
    momentum: float | None = setting(None, "momentum; adamw's first beta", low=0, high=0.9999, recipe=True)
    weight_decay: float | None = setting(None, "decoupled decay of the weights", low=0, high=1, recipe=True)
    label_smoothing: float | None = setting(
        None, "share of the target spread over classes", low=0, high=0.9, recipe=True
    )
    warmup: float | None = setting(None, "share of the steps in which the rate rises", low=0, high=0.9, recipe=True)
    schedule: str | None = setting(
        None, "course of the rate after the warm-up", choices=("constant", "linear", "cosine"), recipe=True
    )
    class_weights: str = setting("none", "weigh the loss by inverse class frequency", choices=("none", "balanced"))
    flip: str = setting(
        "none", "mirror images: per epoch at random, or alternating", choices=("none", "random", "alternating"),
        recipe=True,
    )  # fmt: skip
    translate: int = setting(0, "shift images by up to so many pixels", low=0, high=64, recipe=True)
    cutout: int = setting(0, "side of a square that is blanked, 0 for none", low=0, high=512, recipe=True)
    start_size: float = setting(
        1.0, "image side in the first third of the epochs, as a share of the full side of the last third",
        low=0.25, high=1, recipe=True,
    )  # fmt: skip
    pretrained_model: str | None = setting(
        None,
        f"start from this model.pth (under the experiments folder), or `{IMAGENET}` for the weights that are published "
        f"for the model; `{NO_WEIGHTS}` where the recipe has some",
    )
    freeze_backbone: bool = setting(False, "train only the last layer")
    precision: str = setting(
        "auto", "fp32, or bf16 where the hardware computes in it; auto chooses", choices=("auto", "fp32", "bf16")
    )
    device: str = setting("auto", "where to train; auto takes a GPU if there is one", choices=("auto", "cpu", "cuda"))
    num_threads: str = setting("auto", "CPU threads of one step: a number, or auto for all that this process may use")
    num_workers: int = setting(2, "threads that prepare batches ahead for a GPU", low=0, high=256, numeric=False)
    checkpoint_minutes: float = setting(
        10.0, "minutes between checkpoints inside an epoch, 0 for after every step", low=0, high=1440, numeric=False
    )

    def __post_init__(self) -> None:
        """Refuse values out of bounds, and settings that the model needs and does not have."""
        for name, field in FIELDS.items():
            check(field, getattr(self, name), f"Config.{name}")
        lacking = [name for name in _STEP_SETTINGS if getattr(self, name) is None]
        if lacking and family(self.model).stepwise:
            raise UserError(
                f"Config of {self.model} lacks {', '.join(lacking)}",
                f"compose(model={self.model!r}, …) takes what is not given from the model's recipe",
            )

    def numeric(self) -> dict[str, Any]:
        """The settings that can change a number, as they go into the card."""
        return {name: getattr(self, name) for name, field in FIELDS.items() if field.metadata["numeric"]}

    def data_settings(self) -> dict[str, Any]:
        """What decides how the data is prepared."""
        dropped = tuple(name.strip() for name in (self.drop_columns or "").split(",") if name.strip())
        names = ("image_size", "split_seed", "target_column", "group_column")
        return {name: getattr(self, name) for name in names} | {"drop_columns": dropped}

    def step_settings(self) -> StepSettings:
        """What the steps of a training need; only for a model that is trained in steps."""
        return StepSettings(**{name: getattr(self, name) for name in _STEP_SETTINGS})


FIELDS: Mapping[str, dataclasses.Field[Any]] = {field.name: field for field in dataclasses.fields(Config)}
_STEP_SETTINGS = tuple(field.name for field in dataclasses.fields(StepSettings))


def kind(field: dataclasses.Field[Any]) -> type:
    """The type of a setting's value, without `None`."""
    annotation = field.type
    if isinstance(annotation, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
    return typing.cast(type, annotation)


def check(field: dataclasses.Field[Any], value: Any, origin: object) -> None:
    """Refuse a value outside the setting's bounds or choices, saying where it came from."""
    about = field.metadata
    if value is None and field.default is None:
        return
    if field.name == "num_threads":
        valid = value == "auto" or bool(re.fullmatch(r"[1-9][0-9]{0,3}", str(value)))
    elif field.name == "model":
        valid = is_model(value)
    elif about["choices"]:
        valid = value in about["choices"]
    elif about["low"] is not None:
        number = isinstance(value, int if kind(field) is int else int | float) and not isinstance(value, bool)
        valid = number and about["low"] <= value <= about["high"]
    else:
        valid = isinstance(value, kind(field))
    if not valid:
        raise UserError(f"{field.name} must be {expected(field)}, not {value!r} (from {origin})", _hint(field, value))


def expected(field: dataclasses.Field[Any]) -> str:
    """What the setting accepts, in words."""
    about = field.metadata
    if field.name == "num_threads":
        return "auto or a whole number from 1 to 9999"
    if field.name == "model":
        return "the name of a model"
    if about["choices"]:
        return f"one of {', '.join(about['choices'])}"
    noun = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[kind(field)]
    return noun if about["low"] is None else f"{noun} from {about['low']:g} to {about['high']:.16g}"


def _hint(field: dataclasses.Field[Any], value: Any) -> str:
    if not field.metadata["choices"]:
        return str(field.metadata["help"])
    models = f"models: {', '.join(MODELS)}, {TIMM}"
    near = suggestion(str(value), field.metadata["choices"])
    return near or (models if field.name == "model" else str(field.metadata["help"]))


def spelled(value: Any) -> str:
    """A setting's value as YAML would have it: `true`, `null`, 0.001, 1e-05."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
