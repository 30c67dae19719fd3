"""What a training starts from: a run's model or published weights, and the input that these are made for."""

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from image_classifier.data.outline import outline
from image_classifier.data.store import Store
from image_classifier.data.tables import columns_from
from image_classifier.errors import UserError
from image_classifier.model import artifact, building, pretrained
from image_classifier.model.artifact import Artifact
from image_classifier.settings.config import Config
from image_classifier.settings.database import AS_USUAL, Access
from image_classifier.settings.families import Family, family
from image_classifier.settings.inputs import PLAIN, PublishedInput, fitting_in
from image_classifier.settings.names import IMAGENET, PUBLISHED_WEIGHTS, TORCHVISION

logger = logging.getLogger(__name__)

_FAR_OFF = 3  # times smaller than what weights were trained on: enlarged, such images show less than they cost
_SHRUNK = 2  # times smaller, after being made so


@dataclass(frozen=True)
class Parent:
    """The weights that a training starts from, and what they were trained on where that is published."""

    artifact: Artifact
    input: PublishedInput | None


def parent_of(config: Config, experiments_folder: Path, revision: str | None = None) -> Parent | None:
    """What the training starts from, if from anything; published weights at that revision where one is known."""
    if config.pretrained_model is None:
        return None
    if config.pretrained_model not in PUBLISHED_WEIGHTS:
        found = artifact.load(experiments_folder / config.pretrained_model)
        return Parent(found, _input_in(found))
    about = _published(config)
    weights: Artifact = building.imported(str(about.published))(config.model, revision)
    return Parent(weights, _input_by(about, config.model))


def input_of(config: Config, experiments_folder: Path) -> PublishedInput | None:
    """The published input of what a training starts from; published weights need not be there for it."""
    if config.pretrained_model is None:
        return None
    if config.pretrained_model in PUBLISHED_WEIGHTS:
        return _input_by(_published(config), config.model)
    return _input_in(artifact.load(experiments_folder / config.pretrained_model))


def _published(config: Config) -> Family:
    """The model's family, if it has the weights that are asked for."""
    about, asked = family(config.model), config.pretrained_model
    if about.published is None or (asked == TORCHVISION and about.publisher != TORCHVISION):
        who = "torchvision publishes no" if asked == TORCHVISION else "there are no published"
        raise UserError(
            f"{who} weights for {config.model}",
            "published are those of efficientnet_lite0, timm/<name>, and resnet18 and others of torchvision: "
            f"--pretrained_model {IMAGENET}; every network starts from a run's model.pth",
        )
    return about


def _input_by(about: Family, model: str) -> PublishedInput:
    found: PublishedInput = building.imported(str(about.published_input))(model)
    return found


def _input_in(found: Artifact) -> PublishedInput | None:
    """What a run's weights were published for, which it kept to."""
    described = (found.card or {}).get("input", {})
    if "crop" not in described:
        return None
    mean, std = tuple(described["mean"]), tuple(described["std"])
    return PublishedInput(described["shape"][0], mean, std, fitting_in(described))


def preparation(
    config: Config, dataset_folder: str, known: PublishedInput | None, access: Access = AS_USUAL
) -> dict[str, Any]:
    """How the data is prepared: as it is set, else for what is known of the weights' input."""
    settings = config.data_settings() | {"fitting": known.fitting if known else PLAIN}
    if known and config.image_size is None and not _has_its_size(dataset_folder, access):
        settings["image_size"] = known.size
    return settings


def _has_its_size(dataset_folder: str, access: Access) -> bool:
    """Whether images there cannot be prepared at another size: a prepared store, or no images."""
    about = outline(dataset_folder, 0, access)
    return about.is_store or about.is_table


def seen_as(store: Store, known: PublishedInput | None) -> Store:
    """The data with the mean and deviation that the weights were trained with."""
    if known is None:
        return store
    mean, std = known.moments(store.shape[2])
    return dataclasses.replace(store, mean=mean, std=std)


def described(store: Store, known: PublishedInput | None) -> Mapping[str, Any]:
    """How its images were fitted, for the card of a training that keeps to a published input."""
    return {} if known is None else store.fitting.described()


def start_from(parent: Parent, model: nn.Module, store: Store, config: Config) -> None:
    """Load the parent's weights, if it was trained on data like this."""
    origin = str(config.pretrained_model)
    before = (parent.artifact.card or {}).get("input", {}).get("columns")
    columns = None if before is None else columns_from(before)
    # The first layer takes a row's numbers by their place: other columns in these places would mean nothing to it.
    if columns is not None and columns != store.columns:
        names = ", ".join(column.name for column in columns)
        raise UserError(f"{origin} was trained on other columns or categories: {names}", "train without it")
    pretrained.start_from(model, parent.artifact, store.classes, origin)


def warn_of_size(known: PublishedInput, store: Store, dataset_folder: str, access: Access) -> None:
    """Warn where the images are much smaller than what the weights were trained on, or have been made so."""
    side = _largest_side(store, known.size, dataset_folder, access)
    if side is not None and _FAR_OFF * side < known.size:
        logger.warning(
            "the images have at most %d pixels a side, and the weights were trained at %d: --model sprint, which is "
            "made for small images, may be as good and is much faster", side, known.size,
        )  # fmt: skip
    elif _SHRUNK * min(store.shape[:2]) < known.size:
        text = "the weights were trained at %d pixels: --image_size %d may do much better"
        logger.warning(text, known.size, known.size)


def _largest_side(store: Store, most: int, dataset_folder: str, access: Access) -> int | None:
    """The longest side of the images before they were prepared; None where they are larger than `most`, or unknown."""
    sizes = store.splits["train"].sizes
    if sizes is not None:
        return int(sizes.max())
    native = outline(dataset_folder, most, access).size
    return None if native is None else max(native)
