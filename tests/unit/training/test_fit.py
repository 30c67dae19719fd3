"""A fit of scikit-learn is one epoch of one step, with scikit-learn's own weights, folds and warnings."""

import math

import numpy as np
import pytest
import torch
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from image_classifier import compose
from image_classifier.errors import UserError
from image_classifier.model import classical, inference
from image_classifier.runtime import Runtime
from image_classifier.training.fit import Fit

pytestmark = pytest.mark.unit


PLACE = Runtime("cpu", "fp32", 1, "any")
ROWS, LABELS = datasets.load_wine(return_X_y=True)
ROWS = StandardScaler().fit_transform(ROWS).astype(np.float32)


class Batches:
    """All rows in batches of 50, as (N, features, 1, 1)."""

    def __init__(self, rows=ROWS, labels=LABELS):
        self.rows, self.labels, self.count = rows, labels, len(rows)

    def __len__(self):
        return math.ceil(self.count / 50)

    def epoch(self, epoch, start=0):
        for begin in range(0, self.count, 50):
            part = slice(begin, begin + 50)
            yield torch.from_numpy(self.rows[part])[:, :, None, None], torch.from_numpy(self.labels[part])


def fitted(name, batches=None, num_classes=3, **settings):
    batches = batches or Batches()
    model = classical.build(num_classes, (1, 1, 13), name, seed=5)
    training = Fit(model, compose(model=name, **settings), PLACE, train=batches, val=batches)
    (done,) = training.fit()
    return training, done.report


def shares(model, batches=None):
    return inference.probabilities(model, (batches or Batches()).epoch(0), PLACE, 3)[1]


def test_a_fit_is_one_epoch_with_the_figures_of_scikit_learn():
    training, report = fitted("naive_bayes")
    assert (training.epochs, training.steps, training.epoch, training.best_epoch) == (1, 1, 1, 1)
    found = shares(training.model)
    assert (report.epoch, report.lr) == (1, 0.0)
    assert report.acc == report.val_acc == pytest.approx((found.argmax(1) == LABELS).mean())
    assert report.loss == pytest.approx(-np.log(found[np.arange(len(LABELS)), LABELS]).mean(), rel=1e-4)
    assert training.state() is None


def test_there_are_no_more_neighbours_than_rows():
    few = np.array([0, 60, 140])
    assert fitted("knn", Batches(ROWS[few], LABELS[few]))[0].model.estimator.n_neighbors == 3
    assert fitted("knn")[0].model.estimator.n_neighbors == 5


def test_balanced_classes_weigh_rows_as_scikit_learn_does():
    few = np.flatnonzero((LABELS != 2) | (np.arange(178) % 8 == 0))
    batches = Batches(ROWS[few], LABELS[few])
    weighed = fitted("logistic_regression", batches, class_weights="balanced")[0].model
    there = LogisticRegression(max_iter=5000, class_weight="balanced").fit(ROWS[few].astype(np.float64), LABELS[few])
    assert np.allclose(shares(weighed), there.predict_proba(ROWS.astype(np.float64)), atol=1e-4)
    with pytest.raises(UserError, match="knn cannot weigh"):
        fitted("knn", class_weights="balanced")


def test_too_few_rows_for_calibration_are_refused_and_few_are_enough():
    one = np.concatenate([np.flatnonzero(LABELS < 2), np.flatnonzero(LABELS == 2)[:1]])
    with pytest.raises(UserError, match="two training rows of each class"):
        fitted("linear_svm", Batches(ROWS[one], LABELS[one]))
    two = np.concatenate([np.flatnonzero(LABELS < 2), np.flatnonzero(LABELS == 2)[:2]])
    assert fitted("linear_svm", Batches(ROWS[two], LABELS[two]))[1].acc > 0.9


def test_a_fit_that_does_not_converge_is_an_error_with_a_way_out():
    training, _ = fitted("logistic_regression")
    training.model.estimator.set_params(max_iter=1)
    with pytest.raises(UserError, match="could not be fitted"):
        next(training.fit())
