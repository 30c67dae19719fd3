"""Evaluate: a finished run measured again, on its own data or on other data."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from image_classifier import files, runs, runtime
from image_classifier.data.preparing import prepare
from image_classifier.data.store import Store
from image_classifier.errors import UserError
from image_classifier.evaluation import metrics
from image_classifier.model import inference
from image_classifier.runs import Run
from image_classifier.runtime import Runtime
from image_classifier.stages import examples, figures, settings

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> int:
    """Measure a run's model again: into the run itself, or, on other data or for a file, beside it."""
    for flag in ("output", "summary"):
        path = getattr(arguments, flag)
        if path and path.suffix != ".json":
            raise UserError(f"--{flag} {path} does not end in .json", "the figures are written as JSON")
    members = runs.members(arguments.run, arguments.experiments_folder)
    if members:
        return _experiment(members, arguments)
    measured = runs.find(arguments.run, arguments.experiments_folder)
    store = _opened(measured, arguments)
    apart = arguments.output or arguments.summary or arguments.split != "test"
    if not apart and _is_own(store, measured):
        return _again(measured, store)
    report = _report(measured, store, arguments.split)
    _write(arguments, report, _brief(report))
    print("\n".join(figures.lines(report, measured.noun)))
    return 0


def _again(measured: Run, store: Store) -> int:
    """Write the run's own files again."""
    place = _place(measured)
    model = measured.model(place.torch_device)
    with files.lock(measured.folder, f"{measured.folder} is in use by another process"):
        figures.write_predictions(measured, figures.predict(model, store, measured.config, place))
        figures.write_figures(measured)
        runs.refresh(runs.read(measured.folder), figures.WRITTEN)  # tracking may have noted an id in it
    print(figures.summary(measured))
    return 0


def _experiment(members: Sequence[Run], arguments: argparse.Namespace) -> int:
    """Measure every run of an experiment and leave them as they are; in short, with the one that validation chose."""
    reports = {}
    for each in members:
        report = _report(each, _opened(each, arguments), arguments.split)
        print("\n".join([each.name, *figures.lines(report, each.noun)]))
        reports[each.folder.name] = report
    brief = {name: _brief(report) for name, report in reports.items()}
    best = _chosen(members)
    if best is not None:
        print(f"chosen      {best.name}, by validation")
    chosen = {} if best is None else {"chosen": best.folder.name, **brief[best.folder.name]}
    _write(arguments, reports, {**chosen, "runs": brief})
    return 0


def _chosen(members: Sequence[Run]) -> Run | None:
    """The run with the best validation, if all have one, on the same data."""
    found = [each.metrics()["val"] for each in members]
    if None in found or len({each.card["dataset_digest"] for each in members}) > 1:
        return None
    best = max(range(len(members)), key=lambda index: (found[index]["accuracy"], -found[index]["loss"]))
    return members[best]


def _brief(report: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in ("per_class", "val")}


def _write(arguments: argparse.Namespace, detailed: Mapping[str, Any], brief: Mapping[str, Any]) -> None:
    for path, report in ((arguments.output, detailed), (arguments.summary, brief)):
        if path:
            files.write_json(path, dict(report))


_OTHER_DATA = "--dataset_folder measures on other data and leaves the run as it is"


def _opened(measured: Run, arguments: argparse.Namespace) -> Store:
    store = _store(measured, arguments.dataset_folder, settings.cache_folder(arguments))
    if arguments.dataset_folder is None and not _is_own(store, measured):
        raise UserError(f"the data of {measured.name} has changed since it was trained", _OTHER_DATA)
    return store


def _is_own(store: Store, measured: Run) -> bool:
    return bool(store.digest == measured.card["dataset_digest"])


def _store(measured: Run, dataset_folder: str | None, cache_folder: Path) -> Store:
    """The run's own data as it was prepared, or other data as this run reads it."""
    height, width, channels = measured.card["input"]["shape"]
    own = dataset_folder in (None, measured.record["dataset_folder"])
    how = settings.data(measured.config)
    if not own and height == width and measured.columns is None:
        how["image_size"] = height
    store = prepare(
        dataset_folder or measured.record["dataset_folder"], cache_folder=cache_folder,
        columns=None if own else measured.columns, **how,
    )  # fmt: skip
    if store.shape != (height, width, channels) or (store.columns or None) != measured.columns:
        raise UserError(
            f"{dataset_folder} has inputs of {store.shape}, {measured.name} takes {(height, width, channels)}",
            _OTHER_DATA,
        )
    return store


def _predict_other(model: nn.Module, store: Store, measured: Run, place: Runtime) -> figures.Arrays:
    """As `predict`, on data that the run has not seen: all of it where it has no test split, classes by name."""
    unknown = [name for name in store.classes if name not in measured.classes]
    if unknown:
        raise UserError(
            f"{measured.name} does not know the class {', '.join(unknown[:8])}",
            f"it knows {', '.join(measured.classes[:8])}{' …' * (len(measured.classes) > 8)}",
        )
    number = np.array([measured.classes.index(name) for name in store.classes])
    mean, std = (tuple(measured.card["input"][name]) for name in ("mean", "std"))
    arrays: figures.Arrays = {}
    for name, splits in (("test", ("train", "test") if store.draws_test else ("test",)), ("val", ("val",))):
        labels, shares = [np.empty(0, np.int64)], [np.empty((0, len(measured.classes)), np.float32)]
        for split in (store.splits[each] for each in splits if each in store.splits):
            batches = examples.measuring(split, np.arange(len(split.labels)), mean, std, place)
            found = inference.probabilities(model, batches.epoch(0), place, len(measured.classes))
            labels.append(number[found[0]])
            shares.append(found[1])
        arrays |= {f"{name}_labels": np.concatenate(labels), f"{name}_probabilities": np.concatenate(shares)}
    return arrays


def _place(measured: Run) -> Runtime:
    """Where the run computed, if this machine has it; else where it can."""
    before = measured.card["runtime"]
    same_device = before["device"] == "cpu" or runtime.has_gpu()
    place = runtime.Runtime(**before) if same_device else runtime.resolve(measured.config)
    if place.capability != runtime.capability(place.device) or measured.card["versions"] != runtime.versions():
        logger.warning("this machine or its libraries are not those of %s: the last digits may differ", measured.name)
    runtime.activate(place)
    return place


def _report(measured: Run, store: Store, split: str) -> dict[str, Any]:
    """The figures of one split of the run's data, or of other data."""
    place = _place(measured)
    model = measured.model(place.torch_device)
    own = _is_own(store, measured)
    arrays = (
        figures.predict(model, store, measured.config, place) if own else _predict_other(model, store, measured, place)
    )
    chosen = figures.predictions_of(arrays, split)
    if chosen is None:
        raise UserError(
            f"{measured.name} has no {split} examples", "train with --val_fraction above 0, or use --split test"
        )
    return metrics.report(split, chosen, measured.classes)
