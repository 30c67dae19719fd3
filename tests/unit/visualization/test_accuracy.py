"""`metrics.png` says what `metrics.json` says, for any number of classes."""

import warnings

import numpy as np
import pytest

from image_classifier.visualization import plot

pytestmark = pytest.mark.unit


def report(names, accuracies, n=50, split="test"):
    per_class = {
        name: {"n": n, "accuracy": value, "ci95": [max(0, value - 0.05), min(1, value + 0.05)]}
        if value is not None
        else {"n": 0, "accuracy": None, "ci95": None}
        for name, value in zip(names, accuracies, strict=True)
    }
    known = [value for value in accuracies if value is not None]
    total = sum(known) / len(known) if known else None
    interval = [max(0, total - 0.01), min(1, total + 0.01)] if known else None
    return {
        "split": split, "n": n * len(known), "accuracy": total, "accuracy_ci95": interval, "per_class": per_class
    }  # fmt: skip


def labels(figure):
    return [text.get_text() for axes in figure.axes for text in axes.get_yticklabels()]


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.parametrize(("classes", "columns"), [(1, 1), (40, 1), (41, 2), (120, 3)])
def test_up_to_120_classes_are_all_shown(classes, columns):
    names = [f"class {index}" for index in range(classes)]
    figure = plot.accuracy_figure(report(names, np.linspace(0.5, 0.9, classes).tolist()))
    assert labels(figure) == names
    assert len(figure.axes) == columns
    assert len({axes.get_xlim() for axes in figure.axes}) == 1


def test_of_a_thousand_classes_the_120_lowest_are_shown_and_the_title_says_so():
    names = [f"class {index}" for index in range(1000)]
    figure = plot.accuracy_figure(report(names, np.linspace(0.9, 0.1, 1000).tolist()))
    assert labels(figure) == names[:-121:-1]
    assert figure.get_suptitle() == "Accuracy on the test split, 120 of 1,000 classes, lowest first"


def test_classes_are_sorted_by_accuracy_and_those_without_examples_come_last():
    figure = plot.accuracy_figure(report(["a", "b", "c", "d", "e"], [0.9, None, 0.3, 0.9, 0.5]))
    assert labels(figure) == ["c", "e", "a", "d", "b"]
    assert [text.strip() for text in texts(figure)].count("no examples") == 1


def test_dots_bars_numbers_line_and_band_are_those_of_the_report():
    value = report(["a", "b"], [0.6, 0.8], n=1234)
    (axes,) = plot.accuracy_figure(value).axes
    dots = [tuple(point) for line in axes.lines if line.get_marker() == "o" for point in line.get_xydata()]
    assert dots == [(0.6, 0.0), (0.8, 1.0)]
    bars = {tuple(np.round(path.vertices[:, 0], 6)) for item in axes.collections for path in item.get_paths()}
    assert {(0.55, 0.65), (0.75, 0.85)} <= bars
    assert [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "None"] == [value["accuracy"]]
    (band,) = axes.patches
    assert [band.get_x(), band.get_x() + band.get_width()] == pytest.approx(value["accuracy_ci95"])
    assert {"60.0 %", "80.0 %", "1,234"} <= set(texts(plot.accuracy_figure(value)))


@pytest.mark.parametrize("accuracies", [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.98, 0.99], [0.41, 0.43]])
def test_every_interval_lies_inside_the_scale(accuracies):
    value = report(["a", "b"], accuracies)
    (axes,) = plot.accuracy_figure(value).axes
    low, high = axes.get_xlim()
    assert 0.0 <= low < high <= 1.0
    assert high - low >= 0.2 - 1e-9
    for figures in value["per_class"].values():
        assert low - 1e-9 <= figures["ci95"][0] <= figures["ci95"][1] <= high + 1e-9


def test_a_report_of_no_examples_is_drawn_and_says_so():
    figure = plot.accuracy_figure(report(["a", "b"], [None, None], split="val"))
    assert [text.strip() for text in texts(figure)].count("no examples") == 2
    assert figure.get_supxlabel() == "There are no val examples."


def test_odd_class_names_are_drawn_without_a_warning_and_without_formulas():
    names = ["$x_1$", "$\\frac{1$", "猫咪", "🦖🦕", "a" * 200, "line\nbreak", "", "100%", "_", "قط", "\udc80"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot.accuracy_figure(report(names, [0.5 + index / 100 for index in range(len(names))]))
        plot.png(figure)
    shown = labels(figure)
    assert shown[:3] == ["$x_1$", "$\\frac{1$", "#2 □□"]
    assert max(map(len, shown)) <= 28
    assert not any(text.get_parse_math() for axes in figure.axes for text in axes.get_yticklabels())


@pytest.mark.parametrize("classes", [2, 1000])
def test_no_class_name_overlaps_another_text(classes):
    names = [f"a rather long class name {index}" for index in range(classes)]
    figure = plot.accuracy_figure(report(names, np.linspace(0.5, 0.99, classes).tolist(), n=12_345))
    figure.draw_without_rendering()
    boxes = [
        text.get_window_extent()
        for axes in figure.axes
        for text in [*axes.get_yticklabels(), *axes.texts]
        if text.get_text()
    ]
    corners = np.array([[box.x0, box.y0, box.x1, box.y1] for box in boxes])
    x0, y0, x1, y1 = corners.T[:, :, None]
    overlap = (x0 < x1.T) & (x1 > x0.T) & (y0 < y1.T) & (y1 > y0.T)
    assert overlap.sum() == len(boxes)  # each with itself only
