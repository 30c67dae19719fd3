"""The door to the pictures gives all of them."""

import importlib
import pkgutil

import pytest

from image_classifier import visualization
from image_classifier.visualization import plot

pytestmark = pytest.mark.unit


def test_every_picture_of_the_room_is_behind_the_door():
    names = [module.name for module in pkgutil.iter_modules(visualization.__path__, f"{visualization.__name__}.")]
    modules = [importlib.import_module(name) for name in names]
    figures = {name for module in modules for name in vars(module) if name.endswith("_figure")}
    assert {f"{kind}_figure" for kind in ("accuracy", "history", "confusion", "gallery")} < figures
    assert figures | {"png"} <= set(plot.__all__) <= set(vars(plot))
