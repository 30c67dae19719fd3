"""The plan of a training: everything that is decided, and can be refused, before anything is written."""

import contextlib
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from image_classifier import runs
from image_classifier.data.preparing import prepare
from image_classifier.data.store import Store
from image_classifier.data.tables import as_json
from image_classifier.errors import UserError
from image_classifier.model import building
from image_classifier.runs import Run
from image_classifier.runtime import Runtime, activate, resolve, versions
from image_classifier.settings.composition import Composition, compose, config_layer
from image_classifier.settings.config import FIELDS, Config, spelled
from image_classifier.settings.database import AS_USUAL, Access
from image_classifier.settings.families import TABLE_MODELS, family
from image_classifier.settings.layers import Kind, Layer, Origin, deciding, latest
from image_classifier.training import changes
from image_classifier.training.choice import default_model
from image_classifier.training.examples import Selection, augmentation, select
from image_classifier.training.parent import (
    Parent,
    described,
    parent_of,
    preparation,
    seen_as,
    start_from,
    warn_of_size,
)

logger = logging.getLogger(__name__)

_STEPS, _SMALLEST_BATCH = 20, 16  # steps an epoch should have, if its batches do not get smaller than this
_OTHER_RUN = "leave the setting out, or train a new run"


@dataclass(frozen=True)
class TrainingPlan:
    """What a training needs: settings, data and which rows of it, where to compute, the model at its beginning."""

    composition: Composition
    store: Store
    selection: Selection
    runtime: Runtime
    model: nn.Module
    card: Mapping[str, Any]

    @property
    def config(self) -> Config:
        """The settings."""
        return self.composition.config


def plan(
    layers: Sequence[Layer], experiments_folder: Path, cache_folder: Path, earlier: Run | None,
    access: Access = AS_USUAL,
) -> TrainingPlan:  # fmt: skip
    """The plan for a new run, or for going on with an earlier one; every refusal comes from here."""
    if earlier:  # of what is given now, only what changes no number is not what it began with
        layers = [_begun(earlier), *layers]
    composition = compose(layers, *default_model(layers, experiments_folder, access))
    config = composition.config
    if composition.origins["model"].kind is Kind.DATA:
        logger.info("model %s, chosen by %s", config.model, composition.origins["model"])
    runtime = _runtime(config, earlier)
    begins_from = parent_of(config, experiments_folder, earlier.card.get("parent_revision") if earlier else None)
    known = begins_from.input if begins_from else None
    prepared = preparation(config, composition.dataset_folder, known, access)
    if prepared["image_size"] != config.image_size:
        composition = composition.replace("image_size", prepared["image_size"], Origin(Kind.PARENT, "the weights"))
    store = prepare(composition.dataset_folder, cache_folder=cache_folder, access=access, **prepared)
    if earlier:
        _refuse_other_data(store, composition.dataset_folder, earlier, cache_folder)
    _refuse_unfit(store, config)
    if known:
        warn_of_size(known, store, composition.dataset_folder, access)
    store = seen_as(store, known)
    selection = select(store, config)
    _refuse_too_few(len(selection.learn), len(store.splits["test"].labels))
    composition = _with_enough_steps(composition, len(selection.learn))
    config = composition.config
    activate(runtime)
    model = building.build(config, len(store.classes), store.shape)
    if begins_from:
        start_from(begins_from, model, store, config)
        _tell_changes(begins_from, composition, experiments_folder, store, cache_folder)
    if config.freeze_backbone:
        building.freeze_backbone(model)
    card = _card(config, store, runtime, begins_from)
    if earlier:
        _compare_cards(earlier.card, card, earlier.name)
    return TrainingPlan(composition, store, selection, runtime, model.to(runtime.torch_device), card)


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
            same = not begun.finished or changes.same_data(value, before[name])
        else:
            same = not FIELDS[name].metadata["numeric"] or before.get(name) == value
        if not same:
            raise UserError(
                f"{begun.name} was begun with {name} {spelled(before.get(name))} and not with {spelled(value)}",
                _OTHER_RUN,
            )


def _begun(earlier: Run) -> Layer:
    """The settings that an unfinished run began with."""
    origin = Origin(Kind.RUN, runs.RECORD)
    return config_layer(earlier.config, origin, dataset_folder=earlier.record["dataset_folder"])


def _runtime(config: Config, earlier: Run | None) -> Runtime:
    """Where to compute: for an unfinished run as it began, so that the numbers stay the same."""
    if not family(config.model).stepwise:
        config = _on_the_cpu(config)
    if earlier is None:
        return resolve(config.device, config.precision, config.num_threads)
    before = earlier.card["runtime"]
    return resolve(before["device"], before["precision"], str(before["num_threads"]))


def _on_the_cpu(config: Config) -> Config:
    """As scikit-learn computes; what asks for something else is refused."""
    usual = {"device": ("auto", "cpu"), "precision": ("auto", "fp32"), "pretrained_model": (None,)}
    for name, values in (usual | {"freeze_backbone": (False,)}).items():
        if getattr(config, name) not in values:
            raise UserError(f"{name} {getattr(config, name)} means nothing to {config.model}", f"leave {name} out")
    return dataclasses.replace(config, device="cpu", precision="fp32")


def _refuse_other_data(store: Store, dataset_folder: str, earlier: Run, cache_folder: Path) -> None:
    if store.digest == earlier.card["dataset_digest"]:
        return
    before, words = earlier.record["dataset_folder"], changes.since(earlier, store, cache_folder)
    if changes.same_data(dataset_folder, before):
        raise UserError(f"the data has changed since {earlier.name} began: {words}", "restore it, or train a new run")
    what = f"{earlier.name} was begun with dataset_folder {before}, and the data in {dataset_folder} is not the same"
    raise UserError(f"{what}: {words}", _OTHER_RUN)


def _refuse_unfit(store: Store, config: Config) -> None:
    """Refuse data that the model cannot read, and images too small for what is done to them."""
    if store.columns is not None and not family(config.model).reads_rows:
        raise UserError(f"{config.model} reads images, and this is a table", f"choose one of {', '.join(TABLE_MODELS)}")
    augmentation(config).check(*store.shape[:2])


def _refuse_too_few(train: int, test: int) -> None:
    for split, count, least in (("train", train, 2), ("test", test, 1)):
        if count < least:
            raise UserError(f"{count} examples to {split} with", "add examples, or lower --val_fraction")


def _with_enough_steps(composition: Composition, count: int) -> Composition:
    """Smaller batches than the recipe's where there are few examples to learn from, unless their size was asked for."""
    origin = composition.origins["batch_size"]
    if origin.kind is not Kind.RECIPE:
        return composition
    batch = composition.config.step_settings().batch_size
    most = max(_SMALLEST_BATCH, 1 << (max(1, count // _STEPS).bit_length() - 1))
    if batch <= most:
        return composition
    logger.info("%d examples to learn from: batches of %d instead of the recipe's %d", count, most, batch)
    return composition.replace("batch_size", most, Origin(Kind.DATA, f"the data ({origin} has {batch})"))


def _tell_changes(
    parent: Parent, composition: Composition, experiments_folder: Path, store: Store, cache_folder: Path
) -> None:
    """Say what has changed in the data since the parent run learned from it, where both stores are there."""
    before = (parent.artifact.card or {}).get("dataset_digest")
    if before in (None, store.digest):
        return
    with contextlib.suppress(UserError):  # a model that stands alone, or beside what is no run
        run = runs.read((experiments_folder / str(composition.config.pretrained_model)).parent)
        if changes.same_data(run.record["dataset_folder"], composition.dataset_folder):
            words = changes.to(store, str(before), cache_folder)
            if words:
                logger.info("the data since %s: %s", run.name, words)


def _card(config: Config, store: Store, runtime: Runtime, begins_from: Parent | None) -> dict[str, Any]:
    """What can change a number, and nothing else; what `auto` and a path stood for is recorded in their stead."""
    resolved = ("device", "precision", "num_threads", "pretrained_model")
    columns = {} if store.columns is None else {"columns": as_json(store.columns)}
    # Never the query: nobody should be tempted to run what stands in an artifact.
    query = {} if store.query_sha256 is None else {"query_sha256": store.query_sha256}
    weights = begins_from.artifact if begins_from else None
    revision = {"parent_revision": weights.revision} if weights and weights.revision else {}
    fitted = described(store, begins_from.input if begins_from else None)
    return {
        "format": 1,
        "settings": {name: value for name, value in config.numeric().items() if name not in resolved},
        "classes": list(store.classes),
        "input": {"shape": list(store.shape), "mean": list(store.mean), "std": list(store.std), **fitted, **columns},
        "dataset_digest": store.digest,
        **query,
        "runtime": runtime.as_dict(),
        "versions": versions(*family(config.model).packages),
        "parent_sha256": weights.sha256 if weights else None,
        **revision,
    }


def _compare_cards(before: Mapping[str, Any], now: Mapping[str, Any], name: str) -> None:
    if before["parent_sha256"] != now["parent_sha256"]:
        raise UserError(f"the pretrained model has changed since {name} began", "restore it, or train a new run")
    for part in ("runtime", "versions"):
        if before[part] != now[part]:
            logger.warning("%s differ since %s began: it goes on, but not to the same bits", part, name)
