"""From a model and examples to predictions, and from predictions to every figure, picture and line about a run."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from torch import nn

from image_classifier import files
from image_classifier.data.store import Store
from image_classifier.evaluation import error_sets, metrics
from image_classifier.evaluation.metrics import Predictions
from image_classifier.model import inference
from image_classifier.runs import Run, formats
from image_classifier.runtime import Runtime
from image_classifier.settings.names import METRICS
from image_classifier.training.examples import Selection, measuring
from image_classifier.visualization import plot

RESULT_FILES = ("predictions.npz", METRICS, "metrics.png", "training_history.png", "confusion_matrix.png")

Arrays = dict[str, npt.NDArray[Any]]


def predict(model: nn.Module, store: Store, selection: Selection, runtime: Runtime) -> Arrays:
    """Labels and probabilities of the test split and of the validation examples, as `predictions.npz` holds them."""
    test = store.splits["test"]
    mean, std = store.mean, store.std
    every = np.arange(len(test.labels))
    arrays: Arrays = {"val_rows": selection.held_rows}
    for name, split, chosen in (("test", test, every), ("val", selection.held, selection.held_rows)):
        batches = measuring(split, chosen, mean, std, runtime, model=model)
        labels, probabilities = inference.probabilities(model, batches.epoch(0), runtime, len(store.classes))
        arrays |= {f"{name}_labels": labels, f"{name}_probabilities": probabilities}
    return arrays


def write_predictions(measured: Run, arrays: Arrays) -> None:
    """Write `predictions.npz`, from which every figure is read."""
    files.write_bytes(measured.path("predictions.npz"), formats.npz(arrays))


def write_metrics_and_pictures(measured: Run, best_epoch: int) -> None:
    """Write metrics and pictures from what the run's files say, and from nothing else."""
    classes, history = measured.classes, measured.history()
    arrays = measured.predictions()
    test, val = cast("Predictions", predictions_of(arrays, "test")), predictions_of(arrays, "val")
    report = metrics.run_metrics(test, val, best_epoch, classes)
    files.write_json(measured.path(METRICS), report)
    pictures = {
        "metrics.png": plot.accuracy_figure(report),
        "training_history.png": plot.history_figure(history, best_epoch),
        "confusion_matrix.png": confusions(test, val, classes),
    }
    for name, figure in pictures.items():
        files.write_bytes(measured.path(name), plot.png(figure))


def confusions(test: Predictions, val: Predictions | None, classes: Sequence[str]) -> Figure:
    """The confusion matrices of a run as a picture, counted in the cells that it has."""
    width = plot.classes_in_a_cell(len(classes))
    found = [val, test] if val else [test]
    right = [int((each.labels == each.predicted).sum()) for each in found]
    cells = -(-len(classes) // width)
    *of_val, of_test = [metrics.confusion(each.labels // width, each.predicted // width, cells) for each in found]
    return plot.confusion_figure(of_val[0] if of_val else None, of_test, classes, right)


def predictions_of(arrays: Mapping[str, npt.NDArray[Any]], split: str) -> Predictions | None:
    """One split's part of them; None if it has no examples."""
    labels = arrays[f"{split}_labels"]
    return Predictions(labels, arrays[f"{split}_probabilities"]) if len(labels) else None


def summary(done: Run) -> str:
    """A finished run's figures and where its files are, for people."""
    report = done.metrics()
    text = lines(report, done.noun)
    val = report["val"]
    if val:
        epochs = len(done.history())
        text.append(f"validation  accuracy {_share(val)}, best epoch {val['best_epoch']} of {epochs}")
    found = done.error_sets()
    if found:
        text.append(f"error sets  {error_sets.headline(found)}")
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
