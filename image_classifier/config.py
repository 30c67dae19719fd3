"""Every setting that can change a result: its type, default, bounds and help text, in one place.

A setting marked `recipe` has no default here: it depends on the model and stands in that model's recipe
(`configs/model/*.yaml`). `None` for such a setting means "what the recipe says"; `image_size` alone may stay `None`.
"""

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.errors import UserError

DEFAULT_IMAGE_MODEL = "sprint"
DEFAULT_TABLE_MODEL = "dense"
PUBLISHED_WEIGHTS = "torchvision"
BUILT_IN_TABLES = ("wine", "breast_cancer")
BUILT_IN_DATA = ("digits", *BUILT_IN_TABLES)

# torchvision's classifiers with one output; googlenet and inception_v3 have auxiliary heads and are left out.
# fmt: off
_TORCHVISION = (
    "alexnet", "convnext_base", "convnext_large", "convnext_small", "convnext_tiny", "densenet121", "densenet161",
    "densenet169", "densenet201", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3",
    "efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_l",
    "efficientnet_v2_m", "efficientnet_v2_s", "maxvit_t", "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3",
    "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "regnet_x_16gf", "regnet_x_1_6gf", "regnet_x_32gf",
    "regnet_x_3_2gf", "regnet_x_400mf", "regnet_x_800mf", "regnet_x_8gf", "regnet_y_128gf", "regnet_y_16gf",
    "regnet_y_1_6gf", "regnet_y_32gf", "regnet_y_3_2gf", "regnet_y_400mf", "regnet_y_800mf", "regnet_y_8gf",
    "resnet101", "resnet152", "resnet18", "resnet34", "resnet50", "resnext101_32x8d", "resnext101_64x4d",
    "resnext50_32x4d", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0",
    "squeezenet1_0", "squeezenet1_1", "swin_b", "swin_s", "swin_t", "swin_v2_b", "swin_v2_s", "swin_v2_t", "vgg11",
    "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "vit_b_16", "vit_b_32", "vit_h_14",
    "vit_l_16", "vit_l_32", "wide_resnet101_2", "wide_resnet50_2",
)
# fmt: on

CLASSICAL = (
    "logistic_regression", "naive_bayes", "knn", "random_forest", "linear_svm", "gradient_boosting", "adaboost",
)  # fmt: skip
# What reads a table; each of them reads images too, as one long row.
TABLE_MODELS = ("dense", *CLASSICAL)

# Model name -> where its builder stands; imported only when a model is built.
BUILDERS: Mapping[str, str] = {
    "net": "image_classifier.model.nets:Net",
    "sprint": "image_classifier.model.sprint:Sprint",
    "cnn": "image_classifier.model.nets:Cnn",
    "dense": "image_classifier.model.nets:Dense",
    **dict.fromkeys(CLASSICAL, "image_classifier.model.classical:build"),
    **dict.fromkeys(_TORCHVISION, "image_classifier.model.published:build"),
}


def recipe_name(model: str) -> str:
    """The name of the model's recipe: its own, or the one that scikit-learn's or torchvision's share."""
    return "classical" if model in CLASSICAL else "torchvision" if model in _TORCHVISION else model


def read_recipe(model: str) -> str:
    """The YAML text of the model's recipe, from the installed package."""
    return (Path(__file__).parent / "configs" / "model" / f"{recipe_name(model)}.yaml").read_text(encoding="utf-8")


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
class Config:
    """The settings of one training; `composition.compose` fills them from recipe, files and flags."""

    model: str | None = setting(None, "network to train; by default chosen by the data", choices=tuple(BUILDERS))
    image_size: int | None = setting(
        None, "side of the prepared images in pixels; by default the native size if all have one, else 64",
        low=4, high=1024,
    )  # fmt: skip
    width: int | None = setting(None, "channels of the narrowest layer (sprint)", low=8, high=1024, recipe=True)
    target_column: str | None = setting(None, "column of a table that names the class")
    drop_columns: str | None = setting(None, "columns of a table that are not read, separated by commas")
    val_fraction: float = setting(0.1, "share of the training split held out to choose the best epoch", low=0, high=0.9)
    split_seed: int = setting(0, "seed of the train/validation/test split", low=0, high=2**53)
    seed: int = setting(0, "seed of initialisation, order and augmentation", low=0, high=2**53)
    num_epochs: int | None = setting(None, "passes over the training split", low=1, high=100_000, recipe=True)
    batch_size: int | None = setting(
        None,
        "images per step; a recipe's is halved until an epoch has 20 steps, down to 16",
        low=1,
        high=65_536,
        recipe=True,
    )
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
    flip: str | None = setting(
        None,
        "mirror images: per epoch at random, or alternating",
        choices=("none", "random", "alternating"),
        recipe=True,
    )
    translate: int | None = setting(None, "shift images by up to so many pixels", low=0, high=64, recipe=True)
    cutout: int | None = setting(None, "side of a square that is blanked, 0 for none", low=0, high=512, recipe=True)
    start_size: float | None = setting(
        None,
        "image side in the first third of the epochs, as a share of the full side of the last third",
        low=0.25,
        high=1,
        recipe=True,
    )
    pretrained_model: str | None = setting(
        None,
        f"start from this model.pth (under the experiments folder), or `{PUBLISHED_WEIGHTS}` for published weights",
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
        """Refuse values out of bounds."""
        for field in dataclasses.fields(self):
            check(field, getattr(self, field.name), f"Config.{field.name}")

    def numeric(self) -> dict[str, Any]:
        """The settings that can change a number, as they go into the card."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.metadata["numeric"]}


FIELDS: Mapping[str, dataclasses.Field[Any]] = {field.name: field for field in dataclasses.fields(Config)}


def kind(field: dataclasses.Field[Any]) -> type:
    """The type of a setting's value, without the `None` that means "not given"."""
    annotation = field.type
    if isinstance(annotation, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
    return typing.cast(type, annotation)


def check(field: dataclasses.Field[Any], value: Any, origin: str) -> None:
    """Refuse a value outside the setting's bounds or choices, saying where it came from."""
    about = field.metadata
    if value is None and field.default is None:
        return
    if field.name == "num_threads":
        valid = value == "auto" or bool(re.fullmatch(r"[1-9][0-9]{0,3}", str(value)))
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
    choices: tuple[str, ...] = field.metadata["choices"]
    models = f"models: {', '.join(BUILDERS)}"
    return suggestion(str(value), choices) or (models if field.name == "model" else str(field.metadata["help"]))


def spelled(value: Any) -> str:
    """A setting's value as YAML would have it: `true`, `null`, 0.001, 1e-05."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def suggestion(name: str, known: Iterable[str]) -> str:
    """`did you mean …?` for the nearest known name, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""
