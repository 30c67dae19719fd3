"""scikit-learn's classifiers behind the interface of a network: rows or flattened images in, log-probabilities out."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import skops.io
import torch
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from image_classifier import lfs, randomness
from image_classifier.errors import UserError, one_line

# What skops does not know by itself and these classifiers consist of; nothing else is ever built from a file.
TRUSTED = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.tree._tree.Tree",
)
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
            shares[:, self.estimator.classes_] = self.estimator.predict_proba(plain(rows))
        return torch.from_numpy(np.log(np.maximum(shares, _SMALLEST)).astype(np.float32))


def build(num_classes: int, _: tuple[int, int, int], model: str, seed: int) -> Classical:
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
    return Classical(num_classes, estimators[model])


def dumps(model: Classical) -> bytes:
    """The fitted classifier as a file's content; skops makes other bytes each time, and has no room for a card."""
    data: bytes = skops.io.dumps(model.estimator)
    return data


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


def plain(rows: Tensor) -> npt.NDArray[np.float64]:
    """Inputs as scikit-learn takes them: one row of numbers for each."""
    flat: npt.NDArray[np.float64] = rows.permute(0, 2, 3, 1).flatten(1).cpu().numpy().astype(np.float64)
    return flat
