"""Everything about a run that is settled, and can be refused, before anything is written."""

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from image_classifier import runs, runtime
from image_classifier.composition import Composition, Layer, compose, deciding, latest, recipe_origin
from image_classifier.config import (
    BUILT_IN_DATA,
    CLASSICAL,
    FIELDS,
    PUBLISHED_WEIGHTS,
    TABLE_MODELS,
    Config,
    recipe_name,
    spelled,
)  # fmt: skip
from image_classifier.data.preparing import prepare
from image_classifier.data.store import Store
from image_classifier.data.tables import as_json, columns_from
from image_classifier.errors import UserError
from image_classifier.model import artifact, building, pretrained
from image_classifier.runs import Run
from image_classifier.runtime import Runtime
from image_classifier.stages import examples, settings

logger = logging.getLogger(__name__)

_STEPS, _SMALLEST_BATCH = 20, 16  # steps an epoch should have, if its batches do not get smaller than this
_PUBLISHED_SIDE = 96  # below, published weights see far less than the 224 pixels they were trained on


@dataclass(frozen=True)
class Plan:
    """Everything that is settled before the first step."""

    settled: settings.Settled
    store: Store
    place: Runtime
    model: nn.Module
    card: Mapping[str, Any]

    @property
    def config(self) -> Config:
        """The settings."""
        return self.settled.composition.config


def plan(layers: Sequence[Layer], experiments_folder: Path, cache_folder: Path, earlier: Run | None) -> Plan:
    """The plan for a new run, or for going on with an earlier one; every refusal comes from here."""
    settled = (
        _continued(layers, experiments_folder, earlier) if earlier else settings.settle(layers, experiments_folder)
    )
    config = settled.composition.config
    store = prepare(settled.dataset_folder, cache_folder=cache_folder, **settings.data(settled.composition.config))
    if earlier:
        _refuse_other_data(store, settled.dataset_folder, earlier)
    _refuse_unfit(store, str(config.model))
    place = _place(config, earlier)
    runtime.activate(place)
    _refuse_too_few(store, config)
    examples.augmentation(config).check(*store.shape[:2])
    settled = _with_enough_steps(settled, store)
    config = settled.composition.config
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
    return Plan(settled, store, place, model.to(place.torch_device), card)


def _with_enough_steps(settled: settings.Settled, store: Store) -> settings.Settled:
    """Smaller batches than the recipe's where there are few images, unless its size was asked for."""
    composed = settled.composition
    batch = int(composed.config.batch_size or 1)
    count = len(examples.rows(store, composed.config)[0])
    most = max(_SMALLEST_BATCH, 1 << (max(1, count // _STEPS).bit_length() - 1))
    if composed.origins["batch_size"] != recipe_origin(str(composed.config.model)) or batch <= most:
        return settled
    logger.info("%d examples to learn from: batches of %d instead of the recipe's %d", count, most, batch)
    config = dataclasses.replace(composed.config, batch_size=most)
    origins = {**composed.origins, "batch_size": f"the data ({composed.origins['batch_size']} has {batch})"}
    return dataclasses.replace(settled, composition=Composition(config, origins))


def _refuse_other_data(store: Store, place: str, earlier: Run) -> None:
    if store.digest == earlier.card["dataset_digest"]:
        return
    before = earlier.record["dataset_folder"]
    if _same_place(place, before):
        raise UserError(f"the data has changed since {earlier.name} began", "restore it, or train a new run")
    raise UserError(
        f"{earlier.name} was begun with dataset_folder {before}, and the data in {place} is not the same",
        "leave the setting out, or train a new run",
    )


def _refuse_unfit(store: Store, model: str) -> None:
    if store.columns is not None and model not in TABLE_MODELS:
        raise UserError(f"{model} reads images, and this is a table", f"choose one of {', '.join(TABLE_MODELS)}")


def _refuse_too_few(store: Store, config: Config) -> None:
    learn, _, _ = examples.rows(store, config)
    counts = {"train": len(learn), "test": len(store.splits["test"].labels)}
    for split, least in (("train", 2), ("test", 1)):
        if counts[split] < least:
            raise UserError(f"{counts[split]} examples to {split} with", "add examples, or lower --val_fraction")


def refuse_other_settings(layers: Sequence[Layer], begun: Run) -> None:
    """Refuse a given setting that is not what the run began with: it would be another run.

    Whatever is given counts, a default too. Nothing is prepared or built for it: a finished run has its answer at once.
    """
    before = {**begun.record["config"], "dataset_folder": begun.record["dataset_folder"]}
    asked = {"model": latest(layers, "model") or before["model"]}
    if asked["model"] == before["model"]:  # with another model's recipe the rest would have no meaning
        now = dataclasses.asdict(compose(layers, before["model"]).config)
        asked = {name: now.get(name, layer.values[name]) for name, layer in deciding(layers).items()}
    for name, value in asked.items():
        if name == "dataset_folder":
            # Data may move while a run is unfinished, as when it goes on in a container: its digest will decide.
            same = not begun.finished or _same_place(value, before[name])
        else:
            same = not FIELDS[name].metadata["numeric"] or before.get(name) == value
        if not same:
            raise UserError(
                f"{begun.name} was begun with {name} {spelled(before.get(name))} and not with {spelled(value)}",
                "leave the setting out, or train a new run",
            )


def _same_place(one: str, other: str) -> bool:
    """Whether two names of data mean one place; `digits` and `./digits` do not."""
    named = {one, other} & set(BUILT_IN_DATA)
    return one == other or (not named and os.path.realpath(one) == os.path.realpath(other))


def _continued(layers: Sequence[Layer], experiments_folder: Path, earlier: Run) -> settings.Settled:
    """The settings the run began with; of those given now only what changes no number can be another."""
    begun = dataclasses.asdict(earlier.config)
    stored = Layer(runs.RECORD, {**begun, "dataset_folder": earlier.record["dataset_folder"]})
    return settings.settle([stored, *layers], experiments_folder)


def _place(config: Config, earlier: Run | None) -> Runtime:
    """Where to compute: for an unfinished run as it began, so that the numbers stay the same."""
    if config.model in CLASSICAL:
        config = _on_the_cpu(config)
    if earlier is None:
        return runtime.resolve(config)
    before = earlier.card["runtime"]
    names = {"device": before["device"], "precision": before["precision"], "num_threads": str(before["num_threads"])}
    return runtime.resolve(dataclasses.replace(config, **names))


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
        if recipe_name(str(config.model)) != PUBLISHED_WEIGHTS:
            raise UserError(
                f"torchvision publishes no weights for {config.model}",
                "choose --model resnet18 or another of torchvision's, or a run's model.pth",
            )
        from image_classifier.model import published  # noqa: PLC0415  (torchvision takes a second to import)

        return published.weights(str(config.model))
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
    if before["parent_sha256"] != now["parent_sha256"]:
        raise UserError(f"the pretrained model has changed since {name} began", "restore it, or train a new run")
    for part in ("runtime", "versions"):
        if before[part] != now[part]:
            logger.warning("%s differ since %s began: it goes on, but not to the same bits", part, name)
