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

from image_classifier import files, provenance, results, runs, signals, tracking
from image_classifier.composition import Layer
from image_classifier.config import CLASSICAL
from image_classifier.errors import NotSentError, UserError
from image_classifier.model import building, checkpoint
from image_classifier.model.checkpoint import Checkpoints
from image_classifier.model.training import Fitting, Training
from image_classifier.model.training import Progress as Done
from image_classifier.runs import Run
from image_classifier.stages import examples, figures, planning, settings
from image_classifier.stages.planning import Plan
from image_classifier.stages.progress import Progress
from image_classifier.tracking import Mirror, Where, entries

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_CHECKPOINTS = 5.0  # after an epoch; within one, checkpoint_minutes counts
_ADAPTED_TO = 2000  # training images that show a network what its input is like


@dataclass(frozen=True)
class Request:
    """What is asked for: a name, data, settings, and whether an unfinished run may go on."""

    experiment_name: str
    run_name: str
    layers: Sequence[Layer] = ()
    experiments_folder: Path = Path("experiments")
    cache_folder: Path = field(default_factory=settings.default_cache)
    resume: bool = False
    tracking: Where | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None  # the tracking server's run that this one is shown under

    @property
    def folder(self) -> Path:
        """The run's folder, which need not exist; never one outside the experiments folder."""
        return runs.locate(self.experiments_folder, self.experiment_name, self.run_name)


def run(arguments: argparse.Namespace) -> int:
    """Train the run that the command line describes, print its figures and where its files are."""
    request = Request(
        arguments.experiment_name, arguments.run_name, settings.layers(arguments), arguments.experiments_folder,
        settings.cache_folder(arguments), arguments.resume,
        tracking.settle(arguments.tracking_uri, arguments.experiments_folder), entries.tags(arguments.tag),
    )  # fmt: skip
    done, sent = train(request)
    print(figures.summary(done))
    if not sent:
        raise NotSentError(
            f"{done.name} is complete, but was not sent (above)", f"image_classifier track {done.folder} sends it"
        )
    return 0


@tracking.training_run
def train(request: Request, mirror: Mirror) -> Run:
    """The finished run; before anything is written, all that can be wrong with the request has been looked for."""
    folder = request.folder
    earlier = _earlier(request)
    if earlier and earlier.finished:
        return _already(earlier)
    started = time.perf_counter()
    plan = planning.plan(request.layers, request.experiments_folder, request.cache_folder, earlier)
    with files.lock(folder, f"{folder} is in use by another process"):
        files.clear_temporaries(folder)
        now = _earlier(request)
        if now and now.finished:
            return _already(now)
        if now != earlier:  # another process has begun it, or has gone on with it: it goes on as it is now
            plan = planning.plan(request.layers, request.experiments_folder, request.cache_folder, now)
        begun = _begin(folder, plan, now, request)
        checkpoints = Checkpoints(folder, _identity(begun))
        training, history = _training(plan, checkpoints)
        _fit(training, checkpoints, history, mirror)
        return _results(runs.read(folder), plan, training, history, started)


def _earlier(request: Request) -> Run | None:
    """The run of that name, if there is one and it may go on with what is asked."""
    if not runs.exists(request.folder):
        return None
    earlier = runs.read(request.folder)
    if not request.resume:
        raise _taken(earlier)
    planning.refuse_other_settings(request.layers, earlier)
    return earlier


def _already(finished: Run) -> Run:
    logger.info("%s is finished already", finished.name)
    checkpoint.remove(finished.folder)
    return finished


def _identity(begun: Run) -> str:
    """What says that a checkpoint is this run's.

    The key is made with the run and goes with run.json wherever the folder is copied or moved. What decides the
    numbers is in it too: a run.json that was changed by hand is another run. Machine and versions are not, which a run
    may change when it goes on.
    """
    parts = {name: begun.card[name] for name in ("settings", "dataset_digest", "parent_sha256")}
    return files.digest_bytes(files.canonical_json({**parts, "key": begun.record["tracking"]["key"]}).encode())


def _taken(earlier: Run) -> UserError:
    if earlier.finished:
        return UserError(f"{earlier.name} is finished; a run is never overwritten", "choose another --run_name")
    return UserError(
        f"{earlier.name} exists and is unfinished", "--resume goes on with it; or choose another --run_name"
    )


def _begin(folder: Path, plan: Plan, earlier: Run | None, request: Request) -> Run:
    """The run's record, before the first step; one that goes on keeps its beginning and adds who goes on."""
    before = earlier.record if earlier else {}
    process = provenance.collect() | {"started": provenance.now()}
    begun = Run(
        folder,
        {
            "status": runs.UNFINISHED,
            "config": dataclasses.asdict(plan.config),
            "origins": before.get("origins") or dict(plan.settled.composition.origins),
            "dataset_folder": plan.settled.dataset_folder,
            "card": plan.card,
            "provenance": before.get("provenance") or process,
            "resumed": [*before.get("resumed", []), *([process] if earlier else [])],
            "timing": before.get("timing") or {"started": provenance.now()},
            "tags": {**before.get("tags", {}), **request.tags},
            "tracking": {"key": tracking.new_key(), "parent": request.parent, **before.get("tracking", {})},
        },
    )
    runs.write_record(begun)
    return begun


def _training(plan: Plan, checkpoints: Checkpoints) -> tuple[Fitting, list[dict[str, Any]]]:
    """The training at its beginning, or where its checkpoint stands."""
    learn, held, held_rows = examples.rows(plan.store, plan.config)
    labels = np.asarray(plan.store.splits["train"].labels)[learn]
    val = examples.measuring(held, held_rows, plan.store.mean, plan.store.std, plan.place) if len(held_rows) else None
    if plan.config.model in CLASSICAL:
        from image_classifier.model.classical import ClassicalTraining  # noqa: PLC0415  (scikit-learn takes a second)

        whole = examples.measuring(plan.store.splits["train"], learn, plan.store.mean, plan.store.std, plan.place)
        return ClassicalTraining(plan.model, plan.config, plan.place, train=whole, val=val), []
    counts = torch.from_numpy(np.bincount(labels, minlength=len(plan.store.classes)))
    batches = examples.learning(plan.store, learn, plan.config, plan.place)
    training = Training(plan.model, plan.config, plan.place, train=batches, val=val, counts=counts)
    history = checkpoints.restore(training)
    if history is None:
        if isinstance(plan.model, building.Adaptive) and plan.config.pretrained_model is None:
            first = examples.measuring(
                plan.store.splits["train"], learn[:_ADAPTED_TO], plan.store.mean, plan.store.std, plan.place
            )
            plan.model.adapt(torch.cat([images for images, _ in first.epoch(0)]))
        return training, []
    logger.info("going on after epoch %d, step %d", training.epoch, training.step)
    return training, history


def _fit(training: Fitting, checkpoints: Checkpoints, history: list[dict[str, Any]], mirror: Mirror) -> None:
    """Drive the loop: history after each epoch, checkpoints and sending now and then, a last one when asked to stop."""
    saved = time.monotonic()
    with signals.deferred() as stop, Progress(training.epochs, training.steps, training.epoch, training.step) as shown:
        for at in training.fit():
            if at.report:
                history.append(dataclasses.asdict(at.report))
                files.write_text(checkpoints.folder / "training_history.csv", results.history_csv(history))
            shown.update(at)
            if isinstance(training, Training) and (stop.number or _due(training, at, saved)):
                checkpoints.write(training, history)
                saved = time.monotonic()
            stop.honour()
            if at.report and at.epoch + 1 < training.epochs:  # the last one is sent with the results
                mirror.update()


def _due(training: Training, at: Done, saved: float) -> bool:
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
    checkpoint.remove(begun.folder)
    return done
