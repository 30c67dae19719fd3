"""timm's networks by their names, and their weights from the Hugging Face hub: safetensors, at one commit."""

import dataclasses
import logging
import re
import sys
from pathlib import Path
from typing import Any, cast

import timm
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from timm.models import PretrainedCfg
from torch import Tensor

from image_classifier.errors import UserError, suggestion
from image_classifier.model import artifact
from image_classifier.model.published import Published, folder
from image_classifier.settings.inputs import INTERPOLATIONS, Fitting, PublishedInput

logger = logging.getLogger(__name__)

_FILE = "model.safetensors"
_BODY = "body."  # what the wrapper puts before a network's names
_MORE = "https://huggingface.co/timm lists timm's networks and their weights"


class Timm(Published):
    """A classifier of timm, which takes weights of its earlier versions and, where it can, of other image sizes."""

    def converted(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors as timm itself would name and resize them for this network."""
        own = self.state_dict()
        convert = getattr(sys.modules[type(self.body).__module__], "checkpoint_filter_fn", None)
        if convert is None or all(name in own and own[name].shape == each.shape for name, each in tensors.items()):
            return tensors
        plain = {name.removeprefix(_BODY): each for name, each in tensors.items()}
        try:
            converted: dict[str, Tensor] = convert(plain, self.body)
        except (KeyError, RuntimeError, ValueError, AttributeError, IndexError):
            return tensors  # of another network: what does not fit is told of all together
        return {f"{_BODY}{name}": each for name, each in converted.items()}


def build(num_classes: int, shape: tuple[int, int, int], model: str) -> Timm:
    """The named network with a head for `num_classes`, freshly initialised; it fetches nothing."""
    name, about = _known(model)
    if not isinstance(about.classifier, str):
        raise UserError(f"{model} does not end in one layer for the classes", "choose another network of timm's")
    height, width, channels = shape
    # Networks with one position for each patch of an image are built for its size; others take any.
    sized = about.fixed_input_size and (height, width) != tuple(about.input_size[1:])
    options: dict[str, Any] = {"img_size": (height, width)} if sized else {}
    try:
        body = timm.create_model(name, pretrained=False, num_classes=num_classes, **options)
    except (ValueError, AssertionError, RuntimeError, TypeError) as error:
        hint = f"its weights fit --image_size {about.input_size[1]}"
        raise UserError(f"{model} cannot be built for images of {height}×{width} pixels: {error}", hint) from error
    return Timm(body, channels, about.classifier)


def published_input(model: str) -> PublishedInput:
    """What timm says its weights were trained on."""
    _, about = _known(model)
    filter_name = about.interpolation if about.interpolation in INTERPOLATIONS else INTERPOLATIONS[0]
    return PublishedInput(about.input_size[1], about.mean, about.std, Fitting(filter_name, min(1.0, about.crop_pct)))


def weights(model: str, revision: str | None = None) -> artifact.Artifact:
    """The published weights at the commit `revision`, else at the newest one.

    They come from where somebody has put them, else from the hub's cache, else from the hub.
    """
    _, about = _known(model)
    if not about.hf_hub_id:
        raise UserError(f"timm publishes no weights for {model} as safetensors", _MORE)
    placed = folder() / f"{about.hf_hub_id.replace('/', '--')}.safetensors"
    if placed.is_file():
        return artifact.load(placed)
    path = _cached(about.hf_hub_id, revision) or _download(model, about.hf_hub_id, revision, placed)
    found = artifact.load(path.resolve())
    promised = path.resolve().name  # the hub names a large file by its digest
    if re.fullmatch(r"[0-9a-f]{64}", promised) and promised != found.sha256:
        raise UserError(f"{path} has another sha256 than the hub gives", "remove the file, so that it is fetched again")
    return dataclasses.replace(found, revision=path.parent.name)


def _known(model: str) -> tuple[str, PretrainedCfg]:
    """The name as timm has it, and what timm says of the weights of that name."""
    name = model.removeprefix("timm/")
    names = [*timm.list_models(), *timm.list_pretrained()]
    if name not in names:
        raise UserError(f"timm {timm.__version__} has no network {name}", suggestion(name, names) or _MORE)
    return name, cast("PretrainedCfg", timm.get_pretrained_cfg(name))


def _cached(repository: str, revision: str | None) -> Path | None:
    path = try_to_load_from_cache(repository, _FILE, revision=revision)
    return Path(path) if isinstance(path, str) else None


def _download(model: str, repository: str, revision: str | None, placed: Path) -> Path:
    address = hf_hub_url(repository, _FILE, revision=revision)
    logger.info("fetching the weights of %s from the hub", model)
    try:
        # Asked first, because the download itself would ask six times and wait in between.
        get_hf_file_metadata(address, token=False)  # no secret is sent
        return Path(hf_hub_download(repository, _FILE, revision=revision, token=False))
    except Exception as error:  # the hub's client and what it is made of have many kinds
        raise UserError(
            f"the weights of {model} could not be fetched: {next(iter(str(error).splitlines()), '')}",
            f"fetch {address} elsewhere and put it at {placed}, or leave --pretrained_model out",
        ) from error
