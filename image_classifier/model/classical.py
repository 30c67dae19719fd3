"""scikit-learn's classifiers behind the interface of a network: rows or flattened images in, log-probabilities out."""

import io
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import skops.io
import torch
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from image_classifier import lfs, randomness
from image_classifier.config import Config
from image_classifier.errors import UserError, one_line
from image_classifier.model import inference
from image_classifier.model.training import Batches, EpochReport, Progress
from image_classifier.runtime import Runtime

# What skops does not know by itself and these classifiers consist of; nothing else is ever built from a file.
TRUSTED = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.tree._tree.Tree",
)
_FOLDS = 5
_LONGEST = 200  # characters of a foreign error
_SMALLEST = float(np.finfo(np.float32).tiny)
_HINT = "give a run that this program trained"


class Classical(nn.Module):
    """A classifier of scikit-learn; it answers once it is fitted or loaded."""

    def __init__(self, num_classes: int, estimator: BaseEstimator) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.estimator = estimator

    def forward(self, rows: Tensor) -> Tensor:
        """The logarithms of the classes' probabilities; a class that no training row had gets the least there is."""
        shares = np.full((len(rows), self.num_classes), _SMALLEST)
        with threadpool_limits(1):  # the same bits whatever the number of threads
            shares[:, self.estimator.classes_] = self.estimator.predict_proba(_plain(rows))
        return torch.from_numpy(np.log(np.maximum(shares, _SMALLEST)).astype(np.float32))


def build(num_classes: int, _: tuple[int, int, int], name: str, seed: int) -> Classical:
    """The named classifier, not fitted yet; what is random in it is a function of the seed."""
    state = randomness.key(seed, "fit") % 2**32
    estimators: dict[str, BaseEstimator] = {
        "logistic_regression": LogisticRegression(max_iter=5000),
        "naive_bayes": GaussianNB(),
        "knn": KNeighborsClassifier(algorithm="brute"),
        "random_forest": RandomForestClassifier(random_state=state),
        "linear_svm": CalibratedClassifierCV(LinearSVC(max_iter=20_000, random_state=state), ensemble=False),
        "gradient_boosting": GradientBoostingClassifier(random_state=state),
        "adaboost": AdaBoostClassifier(random_state=state),
    }
    return Classical(num_classes, estimators[name])


class ClassicalTraining:
    """A fit, seen as one epoch of one step; an interrupted one starts again."""

    epochs = steps = 1

    def __init__(
        self, model: nn.Module, config: Config, runtime: Runtime, *, train: Batches, val: Batches | None
    ) -> None:
        self.model = cast("Classical", model)
        self.config, self.runtime, self.train, self.val = config, runtime, train, val
        self.epoch = self.step = 0
        self.best_epoch = 1

    def fit(self) -> Iterator[Progress]:
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
        yield Progress(0, 1, 1, EpochReport(1, loss, accuracy, val_loss, val_accuracy, 0.0, seconds))

    def content(self, _: Mapping[str, Any]) -> bytes:
        """The fitted classifier as a file's content; skops makes other bytes each time, and has no room for a card."""
        data: bytes = skops.io.dumps(self.model.estimator)
        return data

    def _weights(self, labels: npt.NDArray[np.int64]) -> dict[str, Any]:
        if self.config.class_weights == "none":
            return {}
        if isinstance(self.model.estimator, KNeighborsClassifier):
            raise UserError("knn cannot weigh classes", "leave class_weights out, or choose another model")
        return {"sample_weight": compute_sample_weight("balanced", labels)}


def load(path: Path, num_classes: int) -> Classical:
    """The classifier in a `model.skops`; what is not of a known type is not built."""
    data = lfs.read(path, _HINT)
    try:
        foreign = sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED))
        if foreign:
            raise UserError(f"{path} holds {', '.join(foreign[:4])}, which no classifier here consists of", _HINT)
        estimator = skops.io.load(io.BytesIO(data), trusted=list(TRUSTED))
    except UserError:
        raise
    except Exception as error:  # damage shows as any of many exception types
        raise UserError(f"{path} is damaged or no model of scikit-learn: {one_line(error, _LONGEST)}", _HINT) from error
    return Classical(num_classes, estimator)


def _gathered(batches: Batches) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    parts = [(_plain(rows), labels.numpy()) for rows, labels in batches.epoch(0)]
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([labels for _, labels in parts])


def _plain(rows: Tensor) -> npt.NDArray[np.float64]:
    flat: npt.NDArray[np.float64] = rows.permute(0, 2, 3, 1).flatten(1).cpu().numpy().astype(np.float64)
    return flat


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
