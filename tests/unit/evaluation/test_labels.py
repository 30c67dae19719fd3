"""Suspicious labels: the published scores by hand, what copies must not hide, labels swapped on purpose."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge

from image_classifier.data.features import image_features
from image_classifier.evaluation.labels import FOLDS, out_of_fold, suspicion


def alone(count):
    return np.arange(count)


def test_margin_suggestion_and_doubt_are_those_worked_out_by_hand():
    labels = np.array([0] * 5 + [1] * 5)
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.2, 0.8]] + [[0.3, 0.7]] * 4 + [[0.9, 0.1]])
    found = suspicion(probabilities, labels, alone(10))
    # The normalised margin is (p of the label - largest other p + 1) / 2.
    assert found.margin == pytest.approx([0.9] * 4 + [0.2] + [0.7] * 4 + [0.1])
    assert list(found.order[:2]) == [9, 4]
    assert list(found.suggested) == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    # A class's threshold is its own examples' mean: 0.76 and 0.58; both outliers pass the other class's.
    assert list(np.flatnonzero(found.doubted)) == [4, 9]


def test_an_example_that_passes_no_threshold_is_not_doubted():
    labels = np.array([0] * 5 + [1] * 5)
    probabilities = np.array([[0.95, 0.05]] * 4 + [[0.45, 0.55]] + [[0.05, 0.95]] * 5)
    found = suspicion(probabilities, labels, alone(10))
    assert found.order[0] == 4
    assert not found.doubted.any()


def test_a_class_too_small_to_learn_is_not_judged():
    labels = np.array([0] * 6 + [1] * 6 + [2] * (FOLDS - 1))
    probabilities = np.full((len(labels), 3), 1 / 3)
    found = suspicion(probabilities, labels, alone(len(labels)))
    assert sorted(found.order) == list(range(12))
    assert np.isnan(found.margin[12:]).all()
    assert not found.doubted[12:].any()


def test_copies_count_once_when_a_class_is_judged_large_enough():
    labels = np.array([0] * 6 + [1] * 6)
    groups = np.array([*range(6), *[6] * 6])
    assert sorted(suspicion(np.full((12, 2), 0.5), labels, groups).order) == list(range(6))


def test_the_answers_are_those_of_a_ridge_regression_that_did_not_see_the_fold(monkeypatch):
    random = np.random.default_rng(0)
    features = random.standard_normal((60, 4)).astype(np.float32)
    labels = (features[:, 0] > 0).astype(np.int64)
    monkeypatch.setattr("image_classifier.evaluation.labels._TEMPERATURES", (1.0,))
    found = out_of_fold(features, labels, alone(60), 2)
    assert (found.argmax(axis=1) == labels).mean() > 0.8
    everything = Ridge(alpha=0.3 * 48).fit(features, np.eye(2)[labels]).predict(features)
    powers = np.exp(everything - everything.max(axis=1, keepdims=True))
    assert np.abs(found - powers / powers.sum(axis=1, keepdims=True)).max() < 0.1
    assert not np.allclose(found, powers / powers.sum(axis=1, keepdims=True), atol=1e-4), "it has seen the example"


def test_copies_of_an_image_with_the_same_wrong_label_do_not_confirm_each_other():
    random = np.random.default_rng(1)
    labels = np.repeat([0, 1], 40)
    features = random.standard_normal((80, 60)).astype(np.float32) * 0.3
    features[:, 0] += 4 * labels
    features[:6], labels[:6] = features[0], 1  # six copies of an image of class 0, all called 1
    groups = np.array([0] * 6 + list(range(1, 75)))
    margin = suspicion(out_of_fold(features, labels, groups, 2), labels, groups).margin
    apart = suspicion(out_of_fold(features, labels, alone(80), 2), labels, alone(80)).margin
    assert margin[:6].max() < 0.2
    assert margin[:6].max() < apart[:6].max() / 2


@pytest.mark.parametrize("seed", [0])
def test_of_labels_that_were_swapped_on_purpose_nearly_all_stand_in_the_first_tenth(digit_features, seed):
    labels = load_digits().target.astype(np.int64)
    random = np.random.default_rng(seed)
    swapped = random.permutation(len(labels))[: len(labels) // 20]
    wrong = labels.copy()
    wrong[swapped] = (wrong[swapped] + random.integers(1, 10, len(swapped))) % 10
    every = alone(len(labels))
    found = suspicion(out_of_fold(digit_features, wrong, every, 10), wrong, every)
    first = found.order[: len(labels) // 10]
    assert np.isin(swapped, first).mean() >= 0.95
    assert (found.suggested[swapped] == labels[swapped]).mean() > 0.9
    assert np.isin(np.flatnonzero(found.doubted), swapped).mean() > 0.8, "doubted"


@pytest.fixture(scope="module")
def digit_features():
    images = (load_digits().images * 255 / 16).round().astype(np.uint8)[..., None]
    return image_features([images])
