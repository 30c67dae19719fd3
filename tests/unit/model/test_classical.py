"""scikit-learn's classifiers answer here what they answer there, and their files build nothing foreign."""

import functools
import os

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from wine_rows import LABELS, ROWS, Batches, fitted, shares

from image_classifier.errors import UserError
from image_classifier.model import classical
from image_classifier.randomness import key
from image_classifier.settings.families import FAMILIES

pytestmark = pytest.mark.unit

CLASSICAL = next(each.names for each in FAMILIES if not each.stepwise)


@functools.cache
def once(name):
    """A fitted classifier that tests only read."""
    return fitted(name)


@pytest.mark.parametrize("name", CLASSICAL)
def test_each_classifier_learns_and_its_file_answers_the_same_bits(name, tmp_path):
    training, report = once(name)
    assert report.acc > 0.9
    before = shares(training.model)
    (tmp_path / "model.skops").write_bytes(training.content({}))
    assert np.array_equal(shares(classical.load(tmp_path / "model.skops", 3)), before)
    assert np.allclose(before.sum(1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "estimator"),
    [
        ("logistic_regression", LogisticRegression(max_iter=5000)),
        ("random_forest", RandomForestClassifier(random_state=key(5, "fit") % 2**32)),
    ],
)
def test_the_probabilities_and_the_report_are_scikit_learn_s(name, estimator):
    training, report = once(name)
    expected = estimator.fit(ROWS.astype(np.float64), LABELS).predict_proba(ROWS.astype(np.float64))
    assert np.allclose(shares(training.model), expected, atol=1e-6)
    assert report.acc == report.val_acc == pytest.approx((expected.argmax(1) == LABELS).mean())
    assert report.loss == pytest.approx(log_loss(LABELS, np.clip(expected, 1e-30, 1)), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", CLASSICAL)
def test_the_same_seed_gives_the_same_answers(name):
    assert np.array_equal(shares(once(name)[0].model), shares(fitted(name)[0].model))


def test_a_class_without_training_rows_gets_the_least_there_is():
    some = Batches(ROWS[LABELS != 1], LABELS[LABELS != 1])
    found = shares(fitted("naive_bayes", some)[0].model)
    assert found.shape == (178, 3)
    assert found[:, 1].max() < 1e-30
    assert np.allclose(found.sum(1), 1)


def test_a_file_with_a_foreign_type_is_refused_before_anything_is_built(tmp_path):
    path = tmp_path / "model.skops"
    path.write_bytes(skops.io.dumps({"model": GaussianNB().fit(ROWS, LABELS), "what": os.system}))
    with pytest.raises(UserError, match="system"):
        classical.load(path, 3)


@pytest.mark.parametrize("damage", [lambda data: data[:2000], lambda data: b"", lambda data: b"PK" + data[9:]])
def test_a_damaged_file_is_refused_in_words(tmp_path, damage):
    path = tmp_path / "model.skops"
    path.write_bytes(damage(once("naive_bayes")[0].content({})))
    with pytest.raises(UserError, match=r"model\.skops"):
        classical.load(path, 3)
