"""The fit of a scikit-learn classifier, driven like the loop of a network."""

import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from image_classifier.errors import UserError, one_line
from image_classifier.model import classical, inference
from image_classifier.model.classical import Classical, plain
from image_classifier.runtime import Runtime
from image_classifier.settings.config import Config
from image_classifier.training.loop import BatchSource, EpochReport, Step

_FOLDS = 5
_LONGEST = 200  # characters of a foreign error


class Fit:
    """A fit, seen as one epoch of one step; an interrupted one starts again."""

    epochs = steps = 1

    def __init__(
        self, model: nn.Module, config: Config, runtime: Runtime, *, train: BatchSource, val: BatchSource | None
    ) -> None:
        self.model = cast("Classical", model)
        self.config, self.runtime, self.train, self.val = config, runtime, train, val
        self.epoch = self.step = 0
        self.best_epoch = 1

    def fit(self) -> Iterator[Step]:
        """Fit, measure, and say so once."""
        started = time.perf_counter()
        rows, labels = _gathered(self.train)
        _prepare(self.model.estimator, labels)
        with threadpool_limits(self.runtime.num_threads), warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                self.model.estimator.fit(rows, labels, **self._weights(labels))
            except (ConvergenceWarning, ValueError) as error:
                raise UserError(
                    f"{self.config.model} could not be fitted: {one_line(error, _LONGEST)}",
                    "choose another model, or look at the data",
                ) from error
        seconds = time.perf_counter() - started
        loss, accuracy = inference.score(self.model, self.train.epoch(0), self.runtime)
        val_loss = val_accuracy = None
        if self.val is not None:
            val_loss, val_accuracy = inference.score(self.model, self.val.epoch(0), self.runtime)
        self.epoch = 1
        yield Step(0, 1, 1, EpochReport(1, loss, accuracy, val_loss, val_accuracy, 0.0, seconds))

    def content(self, _: Mapping[str, Any]) -> bytes:
        """The fitted classifier as a file's content."""
        return classical.dumps(self.model)

    def state(self) -> None:
        """Nothing: an interrupted fit starts again."""

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Is never called, since there is no state."""

    def _weights(self, labels: npt.NDArray[np.int64]) -> dict[str, Any]:
        if self.config.class_weights == "none":
            return {}
        if isinstance(self.model.estimator, KNeighborsClassifier):
            raise UserError("knn cannot weigh classes", "leave class_weights out, or choose another model")
        return {"sample_weight": compute_sample_weight("balanced", labels)}


def _gathered(batches: BatchSource) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    parts = [(plain(rows), labels.numpy()) for rows, labels in batches.epoch(0)]
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([labels for _, labels in parts])


def _prepare(estimator: BaseEstimator, labels: npt.NDArray[np.int64]) -> None:
    """What depends on how many rows there are."""
    counts = np.unique(labels, return_counts=True)[1]
    if isinstance(estimator, CalibratedClassifierCV):
        folds = min(_FOLDS, int(counts.min()))
        if folds < 2:
            raise UserError("linear_svm needs two training rows of each class", "add rows, or choose another model")
        estimator.set_params(cv=folds)
    if isinstance(estimator, KNeighborsClassifier):
        estimator.set_params(n_neighbors=min(5, len(labels)))
