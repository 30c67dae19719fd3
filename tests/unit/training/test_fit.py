"""A fit of scikit-learn is one epoch of one step, with scikit-learn's own weights, folds and warnings."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from wine_rows import LABELS, ROWS, Batches, fitted, shares

from image_classifier.errors import UserError

pytestmark = pytest.mark.unit


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
