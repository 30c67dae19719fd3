"""Every figure of `metrics.json` against scikit-learn or a count by hand."""

import json

import numpy as np
import pytest
import sklearn.metrics as truth

from image_classifier.evaluation import metrics
from image_classifier.evaluation.intervals import wilson
from image_classifier.evaluation.metrics import Predictions

pytestmark = pytest.mark.unit

CLASSES = ["ant", "bee", "cow", "dog", "eel", "fox", "gnu"]


def predictions(n=1000, absent=(), never=(), seed=0):
    generator = np.random.default_rng(seed)
    present = [index for index in range(len(CLASSES)) if index not in absent]
    labels = generator.choice(present, n).astype(np.int64)
    logits = generator.normal(size=(n, len(CLASSES)))
    logits[np.arange(n), labels] += generator.normal(1.0, 1.0, n)
    logits[:, list(never)] = -9
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(labels, shares.astype(np.float32))


CASES = {
    "all classes": predictions(),
    "one class absent from the labels": predictions(absent=[2]),
    "one class never predicted": predictions(never=[5]),
    "a class neither present nor predicted": predictions(absent=[3], never=[3]),
    "few examples": predictions(n=9, seed=3),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def given(request):
    return request.param


def test_accuracy_and_loss_are_scikit_learns(given):
    measured = metrics.measure(given, CLASSES)
    assert measured["n"] == len(given.labels)
    assert measured["accuracy"] == pytest.approx(truth.accuracy_score(given.labels, given.predicted), abs=1e-15)
    shares = given.probabilities.astype(np.float64)
    expected = truth.log_loss(given.labels, shares / shares.sum(axis=1, keepdims=True), labels=range(len(CLASSES)))
    assert measured["loss"] == pytest.approx(expected, rel=1e-6)


def test_intervals_are_wilsons_of_the_counts(given):
    measured = metrics.measure(given, CLASSES)
    assert measured["accuracy_ci95"] == list(wilson(int((given.labels == given.predicted).sum()), len(given.labels)))
    for index, figures in enumerate(measured["per_class"].values()):
        of_class = given.labels == index
        interval = wilson(int((given.predicted[of_class] == index).sum()), int(of_class.sum()))
        assert figures["ci95"] == (interval and list(interval))


def test_per_class_figures_are_scikit_learns(given):
    precision, recall, f1, support = truth.precision_recall_fscore_support(
        given.labels, given.predicted, labels=range(len(CLASSES)), zero_division=np.nan
    )
    answered = np.bincount(given.predicted, minlength=len(CLASSES))
    per_class = metrics.measure(given, CLASSES)["per_class"]
    assert list(per_class) == CLASSES
    for index, figures in enumerate(per_class.values()):
        assert figures["n"] == support[index]
        assert figures["precision"] == (pytest.approx(precision[index]) if answered[index] and support[index] else None)
        for name, value in (("recall", recall), ("accuracy", recall), ("f1", f1)):
            assert figures[name] == (pytest.approx(value[index]) if support[index] else None)


def test_macro_f1_is_scikit_learns_over_the_classes_that_occur(given):
    expected = truth.f1_score(
        given.labels, given.predicted, average="macro", labels=np.unique(given.labels), zero_division=0
    )
    assert metrics.measure(given, CLASSES)["macro_f1"] == pytest.approx(expected, abs=1e-12)


def test_the_calibration_error_is_that_of_a_plain_loop(given):
    total = 0.0
    for step in range(15):
        inside = []
        for label, row in zip(given.labels, given.probabilities.astype(np.float64), strict=True):
            if step / 15 < row.max() <= (step + 1) / 15:
                inside.append((row.max(), float(row.argmax() == label)))
        if inside:
            confidence, right = (sum(column) / len(inside) for column in zip(*inside, strict=True))
            total += len(inside) / len(given.labels) * abs(confidence - right)
    assert metrics.measure(given, CLASSES)["ece"] == pytest.approx(total, abs=1e-12)


def test_a_confidence_on_the_edge_of_two_bins_belongs_to_the_lower_one():
    # 9/15 right and 0.62 wrong: gaps 0.4 and 0.62 in two bins; in one bin they would nearly cancel out.
    edge = Predictions(np.array([0, 1]), np.array([[9 / 15, 6 / 15], [0.62, 0.38]]))
    assert metrics.measure(edge, ["a", "b"])["ece"] == pytest.approx((0.4 + 0.62) / 2)


def test_a_confidence_of_one_that_is_always_right_is_perfectly_calibrated():
    perfect = Predictions(np.array([0, 1]), np.eye(2, dtype=np.float32))
    measured = metrics.measure(perfect, ["a", "b"])
    assert (measured["ece"], measured["loss"], measured["accuracy"]) == (0.0, 0.0, 1.0)


def test_a_confidence_of_one_that_is_always_wrong_has_the_worst_error_and_a_finite_loss():
    wrong = Predictions(np.array([1, 0]), np.eye(2, dtype=np.float32))
    measured = metrics.measure(wrong, ["a", "b"])
    assert (measured["ece"], measured["accuracy"]) == (1.0, 0.0)
    assert measured["loss"] == pytest.approx(87.34, abs=0.01)


def test_the_confusion_matrix_is_scikit_learns(given):
    counts = metrics.confusion(given.labels, given.predicted, len(CLASSES))
    expected = truth.confusion_matrix(given.labels, given.predicted, labels=range(len(CLASSES)))
    np.testing.assert_array_equal(counts, expected)


def test_class_accuracies_count_every_example_exactly_once(given):
    measured = metrics.measure(given, CLASSES)
    per_class = measured["per_class"].values()
    assert sum(figures["n"] for figures in per_class) == measured["n"]
    hits = sum(round(figures["n"] * figures["accuracy"]) for figures in per_class if figures["n"])
    assert hits == round(measured["n"] * measured["accuracy"])


def test_accuracy_is_of_all_examples_and_not_the_mean_of_batches():
    # Batches of 4 and 1: right, right, right, right | wrong. Their mean would be 0.5.
    shares = np.tile(np.array([0.9, 0.1], np.float32), (5, 1))
    measured = metrics.measure(Predictions(np.array([0, 0, 0, 0, 1]), shares), ["a", "b"])
    assert measured["accuracy"] == 0.8
    assert measured["loss"] == pytest.approx((4 * -np.log(0.9) - np.log(0.1)) / 5, rel=1e-6)


def test_the_order_of_the_examples_does_not_matter(given):
    order = np.random.default_rng(1).permutation(len(given.labels))
    shuffled = Predictions(given.labels[order], given.probabilities[order])
    first, second = metrics.measure(given, CLASSES), metrics.measure(shuffled, CLASSES)
    assert first.pop("loss") == pytest.approx(second.pop("loss"), rel=1e-12)
    assert first.pop("ece") == pytest.approx(second.pop("ece"), rel=1e-12)
    assert first == second


def test_a_tie_goes_to_the_class_with_the_lowest_index():
    tied = Predictions(np.array([0, 1]), np.array([[0.4, 0.2, 0.4], [0.2, 0.4, 0.4]], np.float32))
    assert tied.predicted.tolist() == [0, 1]


def test_an_empty_split_has_no_figures_and_raises_nothing():
    empty = Predictions(np.empty(0, np.int64), np.empty((0, 2), np.float32))
    nothing = {"n": 0, "accuracy": None, "ci95": None, "precision": None, "recall": None, "f1": None}
    assert metrics.split_metrics("val", empty, ["a", "b"]) == {
        "split": "val", "n": 0, "accuracy": None, "accuracy_ci95": None, "loss": None, "macro_f1": None, "ece": None,
        "per_class": {"a": nothing, "b": nothing}, "val": None,
    }  # fmt: skip


def test_the_report_has_the_contracts_keys_in_order_and_is_strict_json():
    report = metrics.run_metrics(predictions(absent=[2]), predictions(50, seed=9), 4, CLASSES)
    assert list(report) == [
        "split", "n", "accuracy", "accuracy_ci95", "loss", "macro_f1", "ece", "per_class", "val"
    ]  # fmt: skip
    assert list(report["per_class"]["ant"]) == ["n", "accuracy", "ci95", "precision", "recall", "f1"]
    assert list(report["val"]) == ["n", "accuracy", "accuracy_ci95", "loss", "best_epoch"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_report_takes_test_figures_from_test_and_validation_figures_from_validation():
    test, val = predictions(300, seed=1), predictions(200, seed=2)
    report = metrics.run_metrics(test, val, 4, CLASSES)
    assert report["split"] == "test"
    assert (report["n"], report["accuracy"]) == (300, truth.accuracy_score(test.labels, test.predicted))
    assert (report["val"]["n"], report["val"]["best_epoch"]) == (200, 4)
    assert report["val"]["accuracy"] == truth.accuracy_score(val.labels, val.predicted)
    assert report["val"]["loss"] == metrics.measure(val, CLASSES)["loss"]


def test_a_run_without_validation_has_none_in_its_report():
    assert metrics.run_metrics(predictions(20), None, None, CLASSES)["val"] is None


GOOD = np.array([[0.5, 0.5], [0.9, 0.1]], np.float32)


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], [[np.nan, 1], [0, 1]], r"probabilities\[0\]"),
        ([0, 1], [[0.5, 0.5], [np.inf, 0]], r"probabilities\[1\]"),
        ([0, 1], [[0.5, 0.5], [0.5, 0.502]], r"probabilities\[1\]"),
        ([0, 1], [[0.5, 0.5], [1.2, -0.2]], r"probabilities\[1\]"),
        ([0, 2], GOOD, r"labels\[1\] is 2, there are 2 classes"),
        ([-1, 1], GOOD, r"labels\[0\] is -1"),
        ([0, 1, 1], GOOD, "3 labels do not fit"),
        ([[0], [1]], GOOD, "labels must be one row of integers"),
        ([0.0, 1.0], GOOD, "labels must be one row of integers"),
        ([0, 1], [0.5, 0.5], "probabilities must be floats"),
        ([0, 1], np.array([[1, 0], [0, 1]]), "probabilities must be floats"),
        ([], np.empty((0, 0), np.float32), "0 labels do not fit"),
    ],
)
def test_no_figure_can_be_computed_on_garbage(labels, probabilities, message):
    if not isinstance(probabilities, np.ndarray):
        probabilities = np.array(probabilities, np.float32)
    with pytest.raises(ValueError, match=message):
        Predictions(np.array(labels) if labels else np.empty(0, np.int64), probabilities)


def test_rounding_of_a_half_precision_softmax_is_no_garbage():
    found = Predictions(np.array([0, 1]), np.array([[0.5, 0.5005], [0.9, 0.0995]], np.float32))
    assert found.predicted.tolist() == [1, 0]


@pytest.mark.parametrize("classes", [["a"], ["a", "b", "c"], ["a", "a"]])
def test_class_names_that_do_not_fit_are_refused(classes):
    with pytest.raises(ValueError, match="2 probabilities need as many distinct class names"):
        metrics.measure(Predictions(np.array([0, 1]), GOOD), classes)


@pytest.mark.parametrize(("labels", "predicted"), [([0, 3], [0, 0]), ([0, 0], [0, -1]), ([0], [0, 1])])
def test_confusion_refuses_what_is_out_of_range_or_unpaired(labels, predicted):
    with pytest.raises(ValueError, match=r"classes|shape"):
        metrics.confusion(np.array(labels), np.array(predicted), 3)
