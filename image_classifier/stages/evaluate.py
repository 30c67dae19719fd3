"""Evaluate: from a model and examples to predictions, and from predictions to every figure and picture."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from image_classifier import files, results, runs, runtime
from image_classifier.config import Config
from image_classifier.data.preparing import prepare
from image_classifier.data.store import Store
from image_classifier.errors import UserError
from image_classifier.evaluation import metrics
from image_classifier.evaluation.metrics import Predictions
from image_classifier.model import inference
from image_classifier.runs import Run
from image_classifier.runtime import Runtime
from image_classifier.stages import examples, settings
from image_classifier.visualization import plot

logger = logging.getLogger(__name__)

WRITTEN = ("predictions.npz", "metrics.json", "metrics.png", "training_history.png", "confusion_matrix.png")

Arrays = dict[str, npt.NDArray[Any]]


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
    print("\n".join(lines(report, measured.noun)))
    return 0


def _again(measured: Run, store: Store) -> int:
    """Write the run's own files again."""
    place = _place(measured)
    model = measured.model(place.torch_device)
    with files.lock(measured.folder, f"{measured.folder} is in use by another process"):
        write_predictions(measured, predict(model, store, measured.config, place))
        write_figures(measured)
        runs.refresh(measured, WRITTEN)
    print(summary(measured))
    return 0


def _experiment(members: Sequence[Run], arguments: argparse.Namespace) -> int:
    """Measure every run of an experiment and leave them as they are; in short, with the one that validation chose."""
    reports = {}
    for each in members:
        report = _report(each, _opened(each, arguments), arguments.split)
        print("\n".join([each.name, *lines(report, each.noun)]))
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
    figures = [each.metrics()["val"] for each in members]
    if None in figures or len({each.card["dataset_digest"] for each in members}) > 1:
        return None
    best = max(range(len(members)), key=lambda index: (figures[index]["accuracy"], -figures[index]["loss"]))
    return members[best]


def _brief(report: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in ("per_class", "val")}


def _write(arguments: argparse.Namespace, detailed: Mapping[str, Any], brief: Mapping[str, Any]) -> None:
    for path, figures in ((arguments.output, detailed), (arguments.summary, brief)):
        if path:
            files.write_json(path, dict(figures))


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


def _predict_other(model: nn.Module, store: Store, measured: Run, place: Runtime) -> Arrays:
    """As `predict`, on data that the run has not seen: all of it where it has no test split, classes by name."""
    unknown = [name for name in store.classes if name not in measured.classes]
    if unknown:
        raise UserError(
            f"{measured.name} does not know the class {', '.join(unknown[:8])}",
            f"it knows {', '.join(measured.classes[:8])}{' …' * (len(measured.classes) > 8)}",
        )
    number = np.array([measured.classes.index(name) for name in store.classes])
    mean, std = (tuple(measured.card["input"][name]) for name in ("mean", "std"))
    arrays: Arrays = {}
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


def predict(model: nn.Module, store: Store, config: Config, place: Runtime) -> Arrays:
    """Labels and probabilities of the test split and of the validation examples, as `predictions.npz` holds them."""
    test = store.splits["test"]
    _, held, rows = examples.rows(store, config)
    mean, std = store.mean, store.std
    every = np.arange(len(test.labels))
    arrays: Arrays = {"val_rows": rows}
    for name, split, chosen in (("test", test, every), ("val", held, rows)):
        batches = examples.measuring(split, chosen, mean, std, place)
        labels, probabilities = inference.probabilities(model, batches.epoch(0), place, len(store.classes))
        arrays |= {f"{name}_labels": labels, f"{name}_probabilities": probabilities}
    return arrays


def write_predictions(measured: Run, arrays: Arrays) -> None:
    """Write `predictions.npz`, from which every figure is read."""
    files.write_bytes(measured.path("predictions.npz"), results.npz(arrays))


def write_figures(measured: Run) -> None:
    """Write metrics and pictures from what the run's files say, and from nothing else."""
    classes, history = measured.classes, measured.history()
    arrays = measured.predictions()
    test, val = _predictions(arrays, "test"), _predictions(arrays, "val")
    if test is None:
        raise UserError(f"{measured.path('predictions.npz')} has no test examples", "train again")
    best = int(measured.record["best_epoch"])
    report = metrics.run_report(test, val, best, classes)
    files.write_json(measured.path("metrics.json"), report)
    counts = metrics.confusion(test.labels, test.predicted, len(classes))
    val_counts = metrics.confusion(val.labels, val.predicted, len(classes)) if val else None
    pictures = {
        "metrics.png": plot.accuracy_figure(report),
        "training_history.png": plot.history_figure(history, best),
        "confusion_matrix.png": plot.confusion_figure(val_counts, counts, classes),
    }
    for name, figure in pictures.items():
        files.write_bytes(measured.path(name), plot.png(figure))


def _predictions(arrays: Mapping[str, npt.NDArray[Any]], split: str) -> Predictions | None:
    labels = arrays[f"{split}_labels"]
    return Predictions(labels, arrays[f"{split}_probabilities"]) if len(labels) else None


def _report(measured: Run, store: Store, split: str) -> dict[str, Any]:
    """The figures of one split of the run's data, or of other data."""
    place = _place(measured)
    model = measured.model(place.torch_device)
    own = _is_own(store, measured)
    arrays = predict(model, store, measured.config, place) if own else _predict_other(model, store, measured, place)
    chosen = _predictions(arrays, split)
    if chosen is None:
        raise UserError(
            f"{measured.name} has no {split} examples", "train with --val_fraction above 0, or use --split test"
        )
    return metrics.report(split, chosen, measured.classes)


def summary(done: Run) -> str:
    """A finished run's figures and where its files are, for people."""
    report = done.metrics()
    text = lines(report, done.noun)
    val = report["val"]
    if val:
        epochs = len(done.history())
        text.append(f"validation  accuracy {_share(val)}, best epoch {val['best_epoch']} of {epochs}")
    return "\n".join([*text, f"results     {done.folder}"])


def lines(report: Mapping[str, Any], noun: str) -> list[str]:
    """One split's figures in words."""
    return [
        f"{report['split']:<12}{report['n']} {noun}",
        f"accuracy    {_share(report)}",
        f"loss        {report['loss']:.4f}   macro F1 {report['macro_f1']:.4f}   ECE {report['ece']:.4f}",
    ]


def _share(report: Mapping[str, Any]) -> str:
    low, high = report["accuracy_ci95"]
    return f"{report['accuracy']:.4f} (95 % interval {low:.4f} to {high:.4f})"
