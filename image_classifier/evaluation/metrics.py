"""What a model's predictions on one split are worth: every figure reads all of them, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from image_classifier.evaluation.intervals import wilson

Integers = npt.NDArray[np.integer]
Floats = npt.NDArray[np.floating]

ECE_BINS = 15
_SUM_TOLERANCE = 1e-3
# Smaller shares underflow to 0 in a float32 softmax; the floor bounds one example's loss by 87.3.
_LOSS_FLOOR = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, eq=False)
class Predictions:
    """One split's labels (N) and class probabilities (N, K), in the split's order; they cannot hold garbage."""

    labels: Integers
    probabilities: Floats

    def __post_init__(self) -> None:
        """Refuse with a ValueError what no figure could be computed on."""
        _check_shapes(self.labels, self.probabilities)
        _check_range("labels", self.labels, self.probabilities.shape[1])
        _check_shares(self.probabilities)

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The likeliest class of each example; at a tie the one with the lowest index."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)


def _check_shapes(labels: Integers, probabilities: Floats) -> None:
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be one row of integers, not {labels.dtype} of shape {labels.shape}")
    if probabilities.ndim != 2 or not np.issubdtype(probabilities.dtype, np.floating):
        raise ValueError(
            f"probabilities must be floats, examples × classes, not {probabilities.dtype} of {probabilities.shape}"
        )
    if len(labels) != len(probabilities) or probabilities.shape[1] == 0:
        raise ValueError(f"{len(labels)} labels do not fit probabilities of shape {probabilities.shape}")


def _check_range(what: str, values: Integers, num_classes: int) -> None:
    wrong = np.flatnonzero((values < 0) | (values >= num_classes))
    if len(wrong):
        raise ValueError(f"{what}[{wrong[0]}] is {values[wrong[0]]}, there are {num_classes} classes")


def _check_shares(probabilities: Floats) -> None:
    # A row with NaN or infinity has such a sum, and fails the comparison.
    sums = probabilities.sum(axis=1, dtype=np.float64)
    bad = ~(np.abs(sums - 1) <= _SUM_TOLERANCE) | (probabilities.min(axis=1, initial=1) < 0)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"probabilities[{row}] are not shares of 1: {probabilities[row][:8]}, sum {sums[row]}")


def measure(predictions: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """Accuracy with its interval, loss, macro F1, calibration error, and the same per class; None is "no examples"."""
    if len(classes) != predictions.probabilities.shape[1] or len(set(classes)) != len(classes):
        raise ValueError(f"{predictions.probabilities.shape[1]} probabilities need as many distinct class names")
    labels, predicted = predictions.labels, predictions.predicted
    correct, n = labels == predicted, len(labels)
    hits, present, answered = (
        np.bincount(of, minlength=len(classes)).tolist() for of in (labels[correct], labels, predicted)
    )
    per_class = {name: _class(*row) for name, *row in zip(classes, hits, present, answered, strict=True)}
    f1 = [figures["f1"] for figures in per_class.values() if figures["f1"] is not None]
    return {
        "n": n,
        "accuracy": _share(sum(hits), n),
        "accuracy_ci95": _interval(sum(hits), n),
        "loss": _loss(predictions) if n else None,
        "macro_f1": sum(f1) / len(f1) if f1 else None,
        "ece": _calibration_error(predictions, correct) if n else None,
        "per_class": per_class,
    }


def _class(hits: int, present: int, answered: int) -> dict[str, Any]:
    return {
        "n": present,
        "accuracy": _share(hits, present),
        "ci95": _interval(hits, present),
        "precision": _share(hits, answered) if present else None,
        "recall": _share(hits, present),
        "f1": _share(2 * hits, present + answered) if present else None,
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _interval(successes: int, n: int) -> list[float] | None:
    interval = wilson(successes, n)
    return None if interval is None else list(interval)


def _loss(predictions: Predictions) -> float:
    of_truth = predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    return float(-np.log(np.clip(of_truth.astype(np.float64), _LOSS_FLOOR, 1)).mean())


def _calibration_error(predictions: Predictions, correct: npt.NDArray[np.bool_]) -> float:
    # Guo et al. 2017: bins (b/15, (b+1)/15] of the top probability; |confidence - accuracy| weighted by bin size.
    confidence = predictions.probabilities.max(axis=1).astype(np.float64)
    inner_edges = np.arange(1, ECE_BINS) / ECE_BINS
    bins = np.searchsorted(inner_edges, confidence, side="left")
    gaps = np.bincount(bins, weights=confidence - correct, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(correct))


def split_metrics(split: str, predictions: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """The value of `metrics.json` for one split on its own."""
    return {"split": split, **measure(predictions, classes), "val": None}


def run_metrics(
    test: Predictions, val: Predictions | None, best_epoch: int | None, classes: Sequence[str]
) -> dict[str, Any]:
    """The value of a run's `metrics.json`: the test split, and validation in brief when there is one."""
    value = split_metrics("test", test, classes)
    if val is not None:
        whole = measure(val, classes)
        value["val"] = {key: whole[key] for key in ("n", "accuracy", "accuracy_ci95", "loss")}
        value["val"]["best_epoch"] = best_epoch
    return value


def confusion(labels: Integers, predicted: Integers, num_classes: int) -> npt.NDArray[np.int64]:
    """How often each class (row) was answered as each class (column)."""
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(f"labels of shape {labels.shape}, predictions of {predicted.shape}")
    _check_range("labels", labels, num_classes)
    _check_range("predicted", predicted, num_classes)
    pairs = labels.astype(np.int64) * num_classes + predicted
    return np.bincount(pairs, minlength=num_classes * num_classes).reshape(num_classes, num_classes)
