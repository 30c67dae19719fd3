"""Train: from settings and data to a finished run folder."""

import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from image_classifier import files, runs, signals, tracking
from image_classifier.errors import UserError
from image_classifier.model import building
from image_classifier.runs import Run, formats, provenance
from image_classifier.settings.families import family
from image_classifier.settings.layers import Composition, Layer
from image_classifier.tracking import Mirror, Where
from image_classifier.training import checkpoint, examples, plan
from image_classifier.training import results as figures
from image_classifier.training.loop import Fitting, Step, Training
from image_classifier.training.plan import Plan
from image_classifier.training.progress import ProgressBar

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_CHECKPOINTS = 5.0  # after an epoch; within one, checkpoint_minutes counts


@dataclass(frozen=True)
class Request:
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

    @property
    def folder(self) -> Path:
        """The run's folder, which need not exist; never one outside the experiments folder."""
        return runs.locate(self.experiments_folder, self.experiment_name, self.run_name)


@tracking.training_run
def train(request: Request, mirror: Mirror) -> Run:
    """The finished run; before anything is written, all that can be wrong with the request has been looked for."""
    folder = request.folder
    earlier = runs.read(folder) if runs.exists(folder) else None
    if earlier and not request.resume:
        raise _taken(earlier)
    if earlier and earlier.finished:
        return _already(earlier)
    started = time.perf_counter()
    settled = plan.plan(request.layers, request.experiments_folder, request.cache_folder, earlier)
    with files.lock(folder, f"{folder} is in use by another process"):
        files.clear_temporaries(folder)
        now = runs.read(folder) if runs.exists(folder) else None  # another process may have been faster
        if now and not request.resume:
            raise _taken(now)
        if now and now.finished:
            return _already(now)
        _begin(folder, settled, now, request)
        training, history = _training(settled, folder)
        _fit(training, folder, history, mirror)
        return _results(runs.read(folder), settled, training, history, started)


def _already(finished: Run) -> Run:
    logger.info("%s is finished already", finished.name)
    _drop_checkpoints(finished.folder)
    return finished


def _drop_checkpoints(folder: Path) -> None:
    for name in (checkpoint.NEWEST, checkpoint.PREVIOUS):
        files.remove(folder / name)


def _taken(earlier: Run) -> UserError:
    if earlier.finished:
        return UserError(f"{earlier.name} is finished; a run is never overwritten", "choose another --run_name")
    return UserError(
        f"{earlier.name} exists and is unfinished", "--resume goes on with it; or choose another --run_name"
    )


def _begin(folder: Path, plan: Plan, earlier: Run | None, request: Request) -> None:
    """The run's record, before the first step; one that goes on keeps its beginning and adds who goes on."""
    before = earlier.record if earlier else {}
    process = provenance.collect() | {"started": provenance.now()}
    begun = Run(
        folder,
        {
            "status": runs.UNFINISHED,
            "config": dataclasses.asdict(plan.config),
            "origins": before.get("origins") or _origins(plan.composition),
            "dataset_folder": plan.composition.dataset_folder,
            "card": plan.card,
            "provenance": before.get("provenance") or process,
            "resumed": [*before.get("resumed", []), *([process] if earlier else [])],
            "timing": before.get("timing") or {"started": provenance.now()},
            "tags": {**before.get("tags", {}), **request.tags},
            "tracking": {"key": tracking.new_key(), "parent": request.parent, **before.get("tracking", {})},
        },
    )
    runs.write_record(begun)


def _origins(composition: Composition) -> dict[str, dict[str, str]]:
    return {name: {"kind": origin.kind, "name": origin.name} for name, origin in composition.origins.items()}


def _training(plan: Plan, folder: Path) -> tuple[Fitting, list[dict[str, Any]]]:
    """The training at its beginning, or where its checkpoint stands."""
    learn, held, held_rows = examples.rows(plan.store, plan.config)
    labels = np.asarray(plan.store.splits["train"].labels)[learn]
    mean, std = plan.store.mean, plan.store.std
    val = examples.measuring(held, held_rows, mean, std, plan.place, model=plan.model) if len(held_rows) else None
    if not family(plan.config.model).stepwise:
        from image_classifier.training.fit import Fit  # noqa: PLC0415  (scikit-learn takes a second to import)

        whole = examples.measuring(plan.store.splits["train"], learn, mean, std, plan.place, model=plan.model)
        return Fit(plan.model, plan.config, plan.place, train=whole, val=val), []
    counts = torch.from_numpy(np.bincount(labels, minlength=len(plan.store.classes)))
    batches = examples.learning(plan.store, learn, plan.config, plan.place)
    training = Training(plan.model, plan.config, plan.place, train=batches, val=val, counts=counts)
    last = checkpoint.load(folder)
    if last is None:
        if isinstance(plan.model, building.Adaptive) and plan.config.pretrained_model is None:
            some = examples.adapting(plan.store, learn, plan.config, plan.place, plan.model)
            plan.model.adapt(images for images, _ in some.epoch(0))
        return training, []
    training.restore(last.tensors, last.numbers)
    logger.info("going on after epoch %d, step %d", training.epoch, training.step)
    return training, [dict(row) for row in last.history]


def _fit(training: Fitting, folder: Path, history: list[dict[str, Any]], mirror: Mirror) -> None:
    """Drive the loop: history after each epoch, checkpoints and sending now and then, a last one when asked to stop."""
    saved = time.monotonic()
    with (
        signals.deferred() as stop,
        ProgressBar(training.epochs, training.steps, training.epoch, training.step) as shown,
    ):
        for at in training.fit():
            if at.report:
                history.append(dataclasses.asdict(at.report))
                files.write_text(folder / "training_history.csv", formats.history_csv(history))
            shown.update(at)
            if isinstance(training, Training) and (stop.number or _due(training, at, saved)):
                checkpoint.save(folder, training, history)
                saved = time.monotonic()
            stop.honour()
            if at.report and at.epoch + 1 < training.epochs:  # the last one is sent with the results
                mirror.update()


def _due(training: Training, at: Step, saved: float) -> bool:
    """Whether it is time for a checkpoint."""
    pause = _SECONDS_BETWEEN_CHECKPOINTS if at.report else 60 * training.config.checkpoint_minutes
    return training.epoch == training.epochs or time.monotonic() - saved >= pause


def _results(
    begun: Run,
    plan: Plan,
    training: Fitting,
    history: Sequence[Mapping[str, Any]],
    started: float,
) -> Run:
    """Write the model of the best epoch and everything that is read off it."""
    files.write_bytes(begun.path(begun.model_file), training.content(plan.card))
    record = {**begun.record, "best_epoch": training.best_epoch}
    trained = Run(begun.folder, record)
    figures.write_predictions(trained, figures.predict(plan.model, plan.store, plan.config, plan.place))
    figures.write_figures(trained)
    timing = {
        **begun.record["timing"],
        "finished": provenance.now(),
        "training_seconds": sum(float(row["seconds"]) for row in history),
        "last_process_seconds": time.perf_counter() - started,
    }
    done = runs.finish(Run(begun.folder, {**record, "timing": timing}))
    _drop_checkpoints(begun.folder)
    return done
