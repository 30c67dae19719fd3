"""scikit-learn's classifiers answer here what they answer there, and their files build nothing foreign."""

import math
import os

import numpy as np
import pytest
import skops.io
import torch
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

from image_classifier import compose
from image_classifier.errors import UserError
from image_classifier.model import classical, inference
from image_classifier.randomness import key
from image_classifier.runtime import Runtime
from image_classifier.settings.families import FAMILIES
from image_classifier.training.fit import Fit

pytestmark = pytest.mark.unit

CLASSICAL = next(each.names for each in FAMILIES if not each.stepwise)
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


@pytest.mark.parametrize("name", CLASSICAL)
def test_each_classifier_learns_and_its_file_answers_the_same_bits(name, tmp_path):
    training, report = fitted(name)
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
    training, report = fitted(name)
    expected = estimator.fit(ROWS.astype(np.float64), LABELS).predict_proba(ROWS.astype(np.float64))
    assert np.allclose(shares(training.model), expected, atol=1e-6)
    assert report.acc == report.val_acc == pytest.approx((expected.argmax(1) == LABELS).mean())
    assert report.loss == pytest.approx(log_loss(LABELS, np.clip(expected, 1e-30, 1)), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", CLASSICAL)
def test_the_same_seed_gives_the_same_answers(name):
    assert np.array_equal(shares(fitted(name)[0].model), shares(fitted(name)[0].model))


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
    path.write_bytes(damage(fitted("naive_bayes")[0].content({})))
    with pytest.raises(UserError, match=r"model\.skops"):
        classical.load(path, 3)
