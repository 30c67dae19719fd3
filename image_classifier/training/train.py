"""Train: from a request to a finished run folder, step by step from top to bottom."""

import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from image_classifier import files, runs, signals, tracking
from image_classifier.data_card import keeping
from image_classifier.errors import UserError
from image_classifier.model.building import Adaptive
from image_classifier.runs import Run, formats, provenance
from image_classifier.settings.database import AS_USUAL, Access
from image_classifier.settings.families import family
from image_classifier.settings.layers import Layer
from image_classifier.settings.names import DATA_CARD
from image_classifier.tracking import Mirror, Where
from image_classifier.training import checkpoint, mining, results
from image_classifier.training.checkpoint import Checkpoints
from image_classifier.training.examples import adapting, learning, measuring
from image_classifier.training.loop import Fitting, Step, Training
from image_classifier.training.plan import TrainingPlan, plan, refuse_other_settings
from image_classifier.training.progress import ProgressBar

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_CHECKPOINTS = 5.0  # after an epoch; within one, checkpoint_minutes counts

History = list[dict[str, Any]]


@dataclass(frozen=True)
class TrainingRequest:
    """What is asked for: a name, data, settings, and whether an unfinished run may go on."""

    experiment_name: str
    run_name: str
    layers: Sequence[Layer]
    experiments_folder: Path
    cache_folder: Path
    resume: bool = False
    tracking: Where | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None  # the tracking server's run that this one is shown under
    access: Access = AS_USUAL  # to a database, where the data is in one

    @property
    def folder(self) -> Path:
        """The run's folder, which need not exist; never one outside the experiments folder."""
        return runs.locate(self.experiments_folder, self.experiment_name, self.run_name)


@tracking.training_run
def train(request: TrainingRequest, mirror: Mirror) -> Run:
    """The finished run; before anything is written, all that can be wrong with the request has been looked for."""
    started = time.perf_counter()
    earlier = _earlier(request)
    if earlier and earlier.finished:
        return _already(earlier)
    planned = plan(request.layers, request.experiments_folder, request.cache_folder, earlier, request.access)
    with files.lock(request.folder, f"{request.folder} is in use by another process"):
        files.clear_temporaries(request.folder)
        now = _earlier(request)
        if now and now.finished:
            return _already(now)
        mirror.begin()
        if now != earlier:  # another process has begun it, or has gone on with it: it goes on as it is now
            planned = plan(request.layers, request.experiments_folder, request.cache_folder, now, request.access)
        begun = _begin(request, planned, now)
        training = _training(planned)
        checkpoints = Checkpoints(begun.folder, _identity(begun))
        history = checkpoints.restore(training)
        if history is None:
            history = []
            _adapt(planned)
        else:
            logger.info("going on after epoch %d, step %d", training.epoch, training.step)
        _fit(training, checkpoints, history, mirror)
        _write_results(begun, planned, training)
        keeping.hand_over(request.cache_folder, planned.store.digest, begun.path(DATA_CARD))
        return _finish(begun, training, history, started)


def _earlier(request: TrainingRequest) -> Run | None:
    """The run of that name, if there is one and it may go on with what is asked."""
    if not runs.exists(request.folder):
        return None
    earlier = runs.read(request.folder)
    if not request.resume and earlier.finished:
        raise UserError(f"{earlier.name} is finished; a run is never overwritten", "choose another --run_name")
    if not request.resume:
        raise UserError(
            f"{earlier.name} exists and is unfinished", "--resume goes on with it; or choose another --run_name"
        )
    refuse_other_settings(request.layers, earlier)
    return earlier


def _already(finished: Run) -> Run:
    logger.info("%s is finished already", finished.name)
    checkpoint.remove(finished.folder)
    return finished


def _begin(request: TrainingRequest, planned: TrainingPlan, earlier: Run | None) -> Run:
    """The run's record, before the first step; one that goes on keeps its beginning and adds who goes on."""
    before = earlier.record if earlier else {}
    process = provenance.collect() | {"started": provenance.now()}
    origins = {name: {"kind": each.kind, "name": each.name} for name, each in planned.composition.origins.items()}
    record = {
        "status": runs.UNFINISHED,
        "config": dataclasses.asdict(planned.config),
        "origins": before.get("origins") or origins,
        "dataset_folder": planned.composition.dataset_folder,
        "card": planned.card,
        "provenance": before.get("provenance") or process,
        "resumed": [*before.get("resumed", []), *([process] if earlier else [])],
        "timing": before.get("timing") or {"started": provenance.now()},
        "tags": {**before.get("tags", {}), **request.tags},
        "tracking": {"key": runs.new_key(), "parent": request.parent, **before.get("tracking", {})},
    }
    begun = Run(request.folder, record)
    runs.write_record(begun)
    return begun


def _identity(begun: Run) -> str:
    """What says that a checkpoint is this run's.

    The key is made with the run and goes with run.json wherever the folder is copied or moved. What decides the
    numbers is in it too: a run.json that was changed by hand is another run. Machine and versions are not, which a run
    may change when it goes on.
    """
    parts = {name: begun.card[name] for name in ("settings", "dataset_digest", "parent_sha256")}
    return files.digest_bytes(files.canonical_json({**parts, "key": begun.record["tracking"]["key"]}).encode())


def _training(planned: TrainingPlan) -> Fitting:
    """The training at its first step."""
    store, rows, runtime, model = planned.store, planned.selection, planned.runtime, planned.model
    train, moments = store.splits["train"], (store.mean, store.std)
    val = measuring(rows.held, rows.held_rows, *moments, runtime, model=model) if len(rows.held_rows) else None
    if not family(planned.config.model).stepwise:
        from image_classifier.training.fit import Fit  # noqa: PLC0415  (scikit-learn takes a second to import)

        whole = measuring(train, rows.learn, *moments, runtime, model=model)
        return Fit(model, planned.config, runtime, train=whole, val=val)
    labels = np.asarray(train.labels)[rows.learn]
    counts = torch.from_numpy(np.bincount(labels, minlength=len(store.classes)))
    batches = learning(store, rows.learn, planned.config, runtime)
    return Training(model, planned.config, runtime, train=batches, val=val, counts=counts)


def _adapt(planned: TrainingPlan) -> None:
    """Show a network what its input is like, if it is of a family that looks at it; a parent's network has seen it."""
    if family(planned.config.model).adapts and planned.config.pretrained_model is None:
        some = adapting(
            planned.store, planned.selection.learn, planned.config.seed, planned.runtime, planned.model
        )  # fmt: skip
        cast("Adaptive", planned.model).adapt(images for images, _ in some.epoch(0))


def _fit(training: Fitting, checkpoints: Checkpoints, history: History, mirror: Mirror) -> None:
    """Drive the loop: history after each epoch, checkpoints and sending now and then, a last one when asked to stop."""
    saved = time.monotonic()
    bar = ProgressBar(training.epochs, training.steps, training.epoch, training.step)
    with signals.deferred() as stop, bar:
        for at in training.fit():
            if at.report:
                history.append(dataclasses.asdict(at.report))
                files.write_text(checkpoints.folder / "training_history.csv", formats.history_csv(history))
            bar.update(at)
            if stop.number or _due(training, at, saved):
                checkpoints.write(training, history)
                saved = time.monotonic()
            stop.honour()
            if at.report and at.epoch + 1 < training.epochs:  # the last one is sent with the results
                mirror.update()


def _due(training: Fitting, at: Step, saved: float) -> bool:
    """Whether it is time for a checkpoint."""
    pause = _SECONDS_BETWEEN_CHECKPOINTS if at.report else 60 * training.config.checkpoint_minutes
    return training.epoch == training.epochs or time.monotonic() - saved >= pause


def _write_results(begun: Run, planned: TrainingPlan, training: Fitting) -> None:
    """Write the model of the best epoch, its answers, and everything that is read off them."""
    files.write_bytes(begun.path(begun.model_file), training.content(planned.card))
    answers = results.predict(planned.model, planned.store, planned.selection, planned.runtime)
    results.write_predictions(begun, answers)
    results.write_metrics_and_pictures(begun, training.best_epoch)
    mining.write_error_sets(begun, planned.store)


def _finish(begun: Run, training: Fitting, history: Sequence[Mapping[str, Any]], started: float) -> Run:
    """Hash every file into the record, mark the run finished, and remove what only an unfinished one needs."""
    timing = {
        **begun.record["timing"],
        "finished": provenance.now(),
        "training_seconds": sum(float(row["seconds"]) for row in history),
        "last_process_seconds": time.perf_counter() - started,
    }
    # Read again: tracking may have noted an id in it.
    record = {**runs.read(begun.folder).record, "best_epoch": training.best_epoch, "timing": timing}
    done = runs.finish(Run(begun.folder, record))
    checkpoint.remove(begun.folder)
    return done
