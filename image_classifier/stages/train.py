"""Train: from settings and data to a finished run folder."""

import argparse
import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from image_classifier import files, provenance, runs, runtime, signals
from image_classifier.composition import Layer
from image_classifier.config import FIELDS, PUBLISHED_WEIGHTS, Config
from image_classifier.data.preparing import prepare
from image_classifier.data.store import Store
from image_classifier.errors import UserError
from image_classifier.model import artifact, building, checkpoint, pretrained, published
from image_classifier.model.training import Training
from image_classifier.runs import Run
from image_classifier.runtime import Runtime
from image_classifier.stages import evaluate, examples, settings
from image_classifier.stages.progress import Progress

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_CHECKPOINTS = 5.0  # after an epoch; within one, checkpoint_minutes counts
_PUBLISHED_SIDE = 96  # below, published weights see far less than the 224 pixels they were trained on


@dataclass(frozen=True)
class Request:
    """What is asked for: a name, data, settings, and whether an unfinished run may go on."""

    experiment_name: str
    run_name: str
    layers: Sequence[Layer] = ()
    experiments_folder: Path = Path("experiments")
    cache_folder: Path = field(default_factory=settings.default_cache)
    resume: bool = False


@dataclass(frozen=True)
class _Plan:
    """Everything that is settled before the first step."""

    settled: settings.Settled
    store: Store
    place: Runtime
    model: nn.Module
    card: Mapping[str, Any]

    @property
    def config(self) -> Config:
        return self.settled.composition.config


def run(arguments: argparse.Namespace) -> int:
    """Train the run that the command line describes, print its figures and where its files are."""
    request = Request(
        arguments.experiment_name, arguments.run_name, settings.layers(arguments), arguments.experiments_folder,
        settings.cache_folder(arguments), arguments.resume,
    )  # fmt: skip
    done = train(request)
    print(evaluate.summary(done))
    return 0


def train(request: Request) -> Run:
    """The finished run; before anything is written, all that can be wrong with the request has been looked for."""
    folder = runs.locate(request.experiments_folder, request.experiment_name, request.run_name)
    earlier = runs.read(folder) if runs.exists(folder) else None
    if earlier and not request.resume:
        raise _taken(earlier)
    if earlier and earlier.finished:
        logger.info("%s is finished already", earlier.name)
        return earlier
    started = time.perf_counter()
    plan = _plan(request, earlier)
    with files.lock(folder, f"{folder} is in use by another process"):
        files.clear_temporaries(folder)
        if not earlier and runs.exists(folder):
            raise _taken(runs.read(folder))
        begun = earlier or _begin(folder, plan)
        training, history = _training(plan, folder)
        _fit(training, folder, history)
        return _results(begun, plan, training, history, started)


def _taken(earlier: Run) -> UserError:
    if earlier.finished:
        return UserError(f"{earlier.name} is finished; a run is never overwritten", "choose another --run_name")
    return UserError(
        f"{earlier.name} exists and is unfinished", "--resume goes on with it; or choose another --run_name"
    )


def _plan(request: Request, earlier: Run | None) -> _Plan:
    settled = _continued(request, earlier) if earlier else settings.settle(request.layers, request.experiments_folder)
    config = settled.composition.config
    store = prepare(
        settled.dataset_folder,
        image_size=config.image_size,
        split_seed=config.split_seed,
        cache_folder=request.cache_folder,
    )
    place = _place(config, earlier)
    runtime.activate(place)
    _refuse_too_few(store, config)
    model = building.build(config, len(store.classes), store.shape)
    parent = _parent(config, request.experiments_folder)
    if parent:
        pretrained.start_from(model, parent, store.classes, str(config.pretrained_model))
    if config.freeze_backbone:
        building.freeze_backbone(model)
    card = _card(config, store, place, parent)
    if earlier:
        _compare_cards(earlier.card, card, earlier.name)
    return _Plan(settled, store, place, model.to(place.torch_device), card)


def _refuse_too_few(store: Store, config: Config) -> None:
    learn, _, _ = examples.rows(store, config)
    counts = {"train": len(learn), "test": len(store.splits["test"].labels)}
    for split, least in (("train", 2), ("test", 1)):
        if counts[split] < least:
            raise UserError(f"{counts[split]} images to {split} with", "add images, or lower --val_fraction")


def _continued(request: Request, earlier: Run) -> settings.Settled:
    """The settings the run began with; other ones now would make it another run."""
    stored = Layer(runs.RECORD, {**earlier.record["settings"], "dataset_folder": earlier.record["dataset_folder"]})
    settled = settings.settle([stored, *request.layers], request.experiments_folder)
    now = settled.composition.config
    for name, about in FIELDS.items():
        before = earlier.record["settings"][name]
        if about.metadata["numeric"] and getattr(now, name) != before:
            raise UserError(
                f"{earlier.name} was begun with {name} {before} and cannot go on with {getattr(now, name)}",
                "leave the setting out, or train a new run",
            )
    return settled


def _place(config: Config, earlier: Run | None) -> Runtime:
    """Where to compute: for an unfinished run as it began, so that the numbers stay the same."""
    if earlier is None:
        return runtime.resolve(config)
    before = earlier.card["runtime"]
    names = {"device": before["device"], "precision": before["precision"], "num_threads": str(before["num_threads"])}
    return runtime.resolve(dataclasses.replace(config, **names))


def _parent(config: Config, experiments_folder: Path) -> artifact.Artifact | None:
    if config.pretrained_model is None:
        return None
    if config.pretrained_model == PUBLISHED_WEIGHTS:
        return published.weights(str(config.model))
    return artifact.load(experiments_folder / config.pretrained_model)


def _card(config: Config, store: Store, place: Runtime, parent: artifact.Artifact | None) -> dict[str, Any]:
    """What can change a number, and nothing else; what `auto` and a path stood for is recorded in their stead."""
    resolved = ("device", "precision", "num_threads", "pretrained_model")
    return {
        "format": 1,
        "settings": {name: value for name, value in config.numeric().items() if name not in resolved},
        "classes": list(store.classes),
        "input": {"shape": list(store.shape), "mean": list(store.mean), "std": list(store.std)},
        "dataset_digest": store.digest,
        "runtime": place.as_dict(),
        "versions": runtime.versions(),
        "parent_sha256": parent.sha256 if parent else None,
    }


def _compare_cards(before: Mapping[str, Any], now: Mapping[str, Any], name: str) -> None:
    if before["dataset_digest"] != now["dataset_digest"]:
        raise UserError(f"the data has changed since {name} began", "restore it, or train a new run")
    if before["parent_sha256"] != now["parent_sha256"]:
        raise UserError(f"the pretrained model has changed since {name} began", "restore it, or train a new run")
    for part in ("runtime", "versions"):
        if before[part] != now[part]:
            logger.warning("%s differ since %s began: it goes on, but not to the same bits", part, name)


def _begin(folder: Path, plan: _Plan) -> Run:
    begun = Run(
        folder,
        {
            "status": runs.UNFINISHED,
            "settings": dataclasses.asdict(plan.config),
            "origins": dict(plan.settled.composition.origins),
            "dataset_folder": plan.settled.dataset_folder,
            "card": plan.card,
            "provenance": provenance.collect(),
            "timing": {"started": provenance.now()},
        },
    )
    runs.write_record(begun)
    return begun


def _training(plan: _Plan, folder: Path) -> tuple[Training, list[dict[str, Any]]]:
    """The training at its beginning, or where its checkpoint stands."""
    learn, held, held_rows = examples.rows(plan.store, plan.config)
    labels = np.asarray(plan.store.splits["train"].labels)[learn]
    val = examples.measuring(held, held_rows, plan.store.mean, plan.store.std, plan.place) if len(held_rows) else None
    counts = torch.from_numpy(np.bincount(labels, minlength=len(plan.store.classes)))
    batches = examples.learning(plan.store, learn, plan.config, plan.place)
    training = Training(plan.model, plan.config, plan.place, train=batches, val=val, counts=counts)
    last = checkpoint.load(folder)
    if last is None:
        return training, []
    training.restore(last.tensors, last.numbers)
    logger.info("going on after epoch %d, step %d", training.epoch, training.step)
    return training, [dict(row) for row in last.history]


def _fit(training: Training, folder: Path, history: list[dict[str, Any]]) -> None:
    """Drive the loop: history after each epoch, checkpoints now and then, a last one when asked to stop."""
    saved = time.monotonic()
    epochs = int(training.config.num_epochs or 0)
    with signals.deferred() as stop, Progress(epochs, len(training.train), training.epoch, training.step) as shown:
        for at in training.fit():
            if at.report:
                history.append(dataclasses.asdict(at.report))
                files.write_text(folder / "training_history.csv", runs.history_csv(history))
            shown.update(at)
            pause = _SECONDS_BETWEEN_CHECKPOINTS if at.report else 60 * training.config.checkpoint_minutes
            if stop.number or training.epoch == epochs or time.monotonic() - saved >= pause:
                checkpoint.save(folder, training, history)
                saved = time.monotonic()
            stop.honour()


def _results(begun: Run, plan: _Plan, training: Training, history: Sequence[Mapping[str, Any]], started: float) -> Run:
    """Write the model of the best epoch and everything that is read off it."""
    plan.model.load_state_dict(training.best)
    files.write_bytes(begun.path("model.pth"), artifact.dumps(training.best, plan.card))
    record = {**begun.record, "best_epoch": training.best_epoch}
    trained = Run(begun.folder, record)
    evaluate.write_predictions(trained, evaluate.predict(plan.model, plan.store, plan.config, plan.place))
    evaluate.write_figures(trained)
    timing = {
        **begun.record["timing"],
        "finished": provenance.now(),
        "training_seconds": sum(float(row["seconds"]) for row in history),
        "last_process_seconds": time.perf_counter() - started,
    }
    done = runs.finish(Run(begun.folder, {**record, "timing": timing}))
    for name in (checkpoint.NEWEST, checkpoint.PREVIOUS):
        files.remove(begun.path(name))
    return done
