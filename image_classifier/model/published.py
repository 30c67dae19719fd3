"""torchvision's classifiers by their names, and the weights published for them."""

import dataclasses
import http.client
import logging
import re
import urllib.error
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models

from image_classifier import files
from image_classifier.errors import UserError
from image_classifier.model import artifact
from image_classifier.model.pooling import AdaptiveMean
from image_classifier.settings.inputs import Fitting, PublishedInput

logger = logging.getLogger(__name__)

_SIZED = {"vit": "image_size", "maxvit": "input_size"}  # architectures that are built for one image size


# The names inside densenet's layers have a dot more in the published files than in the network (pytorch/vision#474).
_DENSE = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)")


class Published(nn.Module):
    """A classifier of another package; gray images are given to its three input channels alike."""

    def __init__(self, body: nn.Module, channels: int, head_name: str | None = None) -> None:
        super().__init__()
        self.body = body
        self.gray = channels == 1
        self.head_name = f"body.{head_name}" if head_name else None

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        return self.body(images.expand(-1, 3, -1, -1) if self.gray else images)  # type: ignore[no-any-return]


def build(num_classes: int, shape: tuple[int, int, int], model: str) -> Published:
    """The named architecture with a head for `num_classes`, freshly initialised."""
    height, width, channels = shape
    options: dict[str, object] = {"weights": None, "num_classes": num_classes}
    for family, option in _SIZED.items():
        if model.startswith(family):
            options[option] = height if family == "vit" else (height, width)
    try:
        body = models.get_model(model, **options)
    except (ValueError, AssertionError, RuntimeError) as error:
        hint = "published weights fit --image_size 224"
        raise UserError(f"{model} cannot be built for images of {height}×{width} pixels: {error}", hint) from error
    _repeat_on_gpus(body)
    return Published(body, channels)


def _repeat_on_gpus(body: nn.Module) -> None:
    """Replace the pooling of vgg and alexnet, which torch refuses on a GPU where results must repeat."""
    pool = getattr(body, "avgpool", None)
    if isinstance(pool, nn.AdaptiveAvgPool2d) and pool.output_size not in (1, (1, 1)):
        height, width = pool.output_size  # type: ignore[misc]
        body.avgpool = AdaptiveMean(height, width)  # type: ignore[arg-type]


def published_input(name: str) -> PublishedInput:
    """What the weights of `name` are evaluated with by torchvision itself: those in the cache, else the newest."""
    every, cached = models.get_model_weights(name), _cached(name)
    named = [each for each in every if cached and Path(each.url).name == cached.name]
    preset = (named[0] if named else every.DEFAULT).transforms()
    size, resized = preset.crop_size[0], preset.resize_size[0]
    fitting = Fitting(preset.interpolation.value, size / resized)
    return PublishedInput(size, tuple(preset.mean), tuple(preset.std), fitting)


def weights(name: str, _revision: str | None = None) -> artifact.Artifact:
    """The weights torchvision publishes for `name`: from torch's cache folder, else downloaded; digest checked."""
    path = _cached(name)
    if path:
        _check_digest(path)
    found = artifact.load(path or _download(name))
    return dataclasses.replace(found, tensors={_DENSE.sub(r"\1\2", key): each for key, each in found.tensors.items()})


def _url(name: str) -> str:
    return str(models.get_model_weights(name).DEFAULT.url)


def folder() -> Path:
    """Where torch keeps published weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def _cached(name: str) -> Path | None:
    """The official file, or another of this architecture."""
    official = folder() / Path(_url(name)).name
    others = sorted(path for path in folder().glob(f"{name}-*.pth") if path != official)
    return next((path for path in (official, *others) if path.is_file()), None)


def _check_digest(path: Path) -> None:
    expected = _prefix(path.name)
    found = files.digest_file(path)
    if not expected or not found.startswith(expected):
        raise UserError(
            f"{path} has the sha256 {found[:16]}…, but its name promises {expected or 'none'}",
            "remove the file, so that it is downloaded again",
        )


def _prefix(file_name: str) -> str:
    found = re.search(r"-([0-9a-f]{8,64})\.pth$", file_name)
    return found.group(1) if found else ""


def _download(name: str) -> Path:
    url = _url(name)
    target = folder() / Path(url).name
    logger.info("downloading %s", url)
    files.make_folder(target.parent)
    try:
        with files.disk_errors(target):  # what the network refuses is none of them
            torch.hub.download_url_to_file(url, str(target), _prefix(target.name))
    except (urllib.error.URLError, http.client.HTTPException, OSError, RuntimeError) as error:
        raise UserError(
            f"the weights of {name} could not be downloaded: {error}",
            f"fetch {url} elsewhere and put it at {target}, or leave --pretrained_model out",
        ) from error
    return target
