"""Everything about a run that is settled, and can be refused, before anything is written."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from image_classifier import runs, runtime
from image_classifier.data.preparing import prepare
from image_classifier.data.store import Store
from image_classifier.data.tables import as_json, columns_from
from image_classifier.errors import UserError
from image_classifier.model import artifact, building, pretrained
from image_classifier.runs import Run
from image_classifier.runtime import Runtime
from image_classifier.settings.config import FIELDS, Config
from image_classifier.settings.families import TABLE_MODELS, family
from image_classifier.settings.layers import Composition, Kind, Layer, Origin, config_layer
from image_classifier.settings.names import PUBLISHED_WEIGHTS
from image_classifier.training import examples
from image_classifier.training.composition import composed, data_settings

logger = logging.getLogger(__name__)

_STEPS, _SMALLEST_BATCH = 20, 16  # steps an epoch should have, if its batches do not get smaller than this
_PUBLISHED_SIDE = 96  # below, published weights see far less than the 224 pixels they were trained on


@dataclass(frozen=True)
class Plan:
    """Everything that is settled before the first step."""

    composition: Composition
    store: Store
    place: Runtime
    model: nn.Module
    card: Mapping[str, Any]

    @property
    def config(self) -> Config:
        """The settings."""
        return self.composition.config


def plan(layers: Sequence[Layer], experiments_folder: Path, cache_folder: Path, earlier: Run | None) -> Plan:
    """The plan for a new run, or for going on with an earlier one; every refusal comes from here."""
    composition = _continued(layers, experiments_folder, earlier) if earlier else composed(layers, experiments_folder)
    config = composition.config
    if composition.origins["model"].kind is Kind.DATA:
        logger.info("model %s, chosen by %s", config.model, composition.origins["model"])
    place = _place(config, earlier)
    store = prepare(composition.dataset_folder, cache_folder=cache_folder, **data_settings(config))
    _refuse_unfit(store, config.model)
    runtime.activate(place)
    _refuse_too_few(store, config)
    examples.augmentation(config).check(*store.shape[:2])
    if family(config.model).stepwise:
        composition = _with_enough_steps(composition, store)
        config = composition.config
    model = building.build(config, len(store.classes), store.shape)
    parent = _parent(config, experiments_folder)
    if config.pretrained_model == PUBLISHED_WEIGHTS and min(store.shape[:2]) < _PUBLISHED_SIDE:
        logger.warning("published weights were trained at 224 pixels: --image_size 224 may do much better")
    if parent:
        _refuse_other_columns(parent, store, str(config.pretrained_model))
        pretrained.start_from(model, parent, store.classes, str(config.pretrained_model))
    if config.freeze_backbone:
        building.freeze_backbone(model)
    card = _card(config, store, place, parent)
    if earlier:
        _compare_cards(earlier.card, card, earlier.name)
    return Plan(composition, store, place, model.to(place.torch_device), card)


def _with_enough_steps(composition: Composition, store: Store) -> Composition:
    """Smaller batches than the recipe's where there are few images, unless its size was asked for."""
    batch, origin = composition.config.step_settings().batch_size, composition.origins["batch_size"]
    count = len(examples.rows(store, composition.config)[0])
    most = max(_SMALLEST_BATCH, 1 << (max(1, count // _STEPS).bit_length() - 1))
    if origin.kind is not Kind.RECIPE or batch <= most:
        return composition
    logger.info("%d examples to learn from: batches of %d instead of the recipe's %d", count, most, batch)
    return composition.replace("batch_size", most, Origin(Kind.DATA, f"the data ({origin} has {batch})"))


def _refuse_unfit(store: Store, model: str) -> None:
    if store.columns is not None and model not in TABLE_MODELS:
        raise UserError(f"{model} reads images, and this is a table", f"choose one of {', '.join(TABLE_MODELS)}")


def _refuse_too_few(store: Store, config: Config) -> None:
    learn, _, _ = examples.rows(store, config)
    counts = {"train": len(learn), "test": len(store.splits["test"].labels)}
    for split, least in (("train", 2), ("test", 1)):
        if counts[split] < least:
            raise UserError(f"{counts[split]} examples to {split} with", "add examples, or lower --val_fraction")


def _continued(layers: Sequence[Layer], experiments_folder: Path, earlier: Run) -> Composition:
    """The settings the run began with; other ones now would make it another run."""
    begun = dataclasses.asdict(earlier.config)
    stored = config_layer(
        earlier.config, Origin(Kind.RUN, runs.RECORD), dataset_folder=earlier.record["dataset_folder"]
    )
    composition = composed([stored, *layers], experiments_folder)
    now = composition.config
    for name, about in FIELDS.items():
        if about.metadata["numeric"] and getattr(now, name) != begun[name]:
            raise UserError(
                f"{earlier.name} was begun with {name} {begun[name]} and cannot go on with {getattr(now, name)}",
                "leave the setting out, or train a new run",
            )
    return composition


def _place(config: Config, earlier: Run | None) -> Runtime:
    """Where to compute: for an unfinished run as it began, so that the numbers stay the same."""
    if not family(config.model).stepwise:
        config = _on_the_cpu(config)
    if earlier is None:
        return runtime.of(config)
    before = earlier.card["runtime"]
    return runtime.resolve(before["device"], before["precision"], str(before["num_threads"]))


def _on_the_cpu(config: Config) -> Config:
    """As scikit-learn computes; what asks for something else is refused."""
    usual = {"device": ("auto", "cpu"), "precision": ("auto", "fp32"), "pretrained_model": (None,)}
    for name, values in (usual | {"freeze_backbone": (False,)}).items():
        if getattr(config, name) not in values:
            raise UserError(f"{name} {getattr(config, name)} means nothing to {config.model}", f"leave {name} out")
    return dataclasses.replace(config, device="cpu", precision="fp32")


def _parent(config: Config, experiments_folder: Path) -> artifact.Artifact | None:
    if config.pretrained_model is None:
        return None
    if config.pretrained_model == PUBLISHED_WEIGHTS:
        weights = family(config.model).published
        if weights is None:
            raise UserError(
                f"torchvision publishes no weights for {config.model}",
                "choose --model resnet18 or another of torchvision's, or a run's model.pth",
            )
        found: artifact.Artifact = building.imported(weights)(config.model)
        return found
    return artifact.load(experiments_folder / config.pretrained_model)


def _refuse_other_columns(parent: artifact.Artifact, store: Store, origin: str) -> None:
    """The first layer takes a row's numbers by their place: other columns in these places would mean nothing to it."""
    described = (parent.card or {}).get("input", {}).get("columns")
    before = None if described is None else columns_from(described)
    if before is not None and before != store.columns:
        names = ", ".join(column.name for column in before)
        raise UserError(f"{origin} was trained on other columns or categories: {names}", "train without it")


def _card(config: Config, store: Store, place: Runtime, parent: artifact.Artifact | None) -> dict[str, Any]:
    """What can change a number, and nothing else; what `auto` and a path stood for is recorded in their stead."""
    resolved = ("device", "precision", "num_threads", "pretrained_model")
    return {
        "format": 1,
        "settings": {name: value for name, value in config.numeric().items() if name not in resolved},
        "classes": list(store.classes),
        "input": _input(store),
        "dataset_digest": store.digest,
        "runtime": place.as_dict(),
        "versions": runtime.versions(),
        "parent_sha256": parent.sha256 if parent else None,
    }


def _input(store: Store) -> dict[str, Any]:
    described = {"shape": list(store.shape), "mean": list(store.mean), "std": list(store.std)}
    return described if store.columns is None else {**described, "columns": as_json(store.columns)}


def _compare_cards(before: Mapping[str, Any], now: Mapping[str, Any], name: str) -> None:
    if before["dataset_digest"] != now["dataset_digest"]:
        raise UserError(f"the data has changed since {name} began", "restore it, or train a new run")
    if before["parent_sha256"] != now["parent_sha256"]:
        raise UserError(f"the pretrained model has changed since {name} began", "restore it, or train a new run")
    for part in ("runtime", "versions"):
        if before[part] != now[part]:
            logger.warning("%s differ since %s began: it goes on, but not to the same bits", part, name)
