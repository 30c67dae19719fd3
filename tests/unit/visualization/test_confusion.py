"""`confusion_matrix.png` shows the counts, and stays readable with many classes."""

import itertools
import warnings

import numpy as np
import pytest

from image_classifier.visualization import plot

pytestmark = pytest.mark.unit


def counts(classes, seed=0):
    generator = np.random.default_rng(seed)
    return np.diag(generator.integers(5, 90, classes)) + generator.integers(0, 3, (classes, classes))


def written(axes):
    return {(int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in axes.texts}


def test_validation_and_test_stand_side_by_side_with_their_totals():
    val, test = np.array([[8, 2], [1, 9]]), np.array([[800, 200], [0, 1000]])
    figure = plot.confusion_figure(val, test, ["cat", "dog"])
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == [
        "Validation: 17 of 20 right",
        "Test: 1,800 of 2,000 right",
    ]
    assert written(figure.axes[0]) == {(0, 0): "8", (0, 1): "2", (1, 0): "1", (1, 1): "9"}
    assert written(figure.axes[1]) == {(0, 0): "800", (0, 1): "200", (1, 1): "1000"}  # a zero is left blank


def test_rows_are_truth_and_columns_are_predictions():
    figure = plot.confusion_figure(None, np.array([[0, 7], [0, 3]]), ["cat", "dog"])
    assert written(figure.axes[0]) == {(0, 1): "7", (1, 1): "3"}
    assert (figure.axes[0].get_ylabel(), figure.axes[0].get_xlabel()) == ("true class", "predicted class")
    assert figure.axes[0].get_ylim() == (1.5, -0.5)  # the first class on top


def test_colours_are_shares_of_the_true_class():
    figure = plot.confusion_figure(None, np.array([[1, 3], [500, 500]]), ["cat", "dog"])
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[0.25, 0.75], [0.5, 0.5]])
    assert figure.axes[0].images[0].get_clim() == (0, 1)


def test_a_run_without_validation_shows_the_test_split_alone():
    titles = [axes.get_title(loc="left") for axes in plot.confusion_figure(None, counts(3), list("abc")).axes]
    assert [title for title in titles if title] == [f"Test: {np.trace(counts(3))} of {counts(3).sum()} right"]


def test_a_class_without_examples_is_masked_and_says_so():
    matrix = counts(4)
    matrix[2] = 0
    axes = plot.confusion_figure(None, matrix, list("abcd")).axes[0]
    assert axes.images[0].get_array().mask.tolist() == [[row == 2] * 4 for row in range(4)]
    assert [text.get_text() for text in axes.texts].count("no examples") == 1


def test_a_split_without_examples_is_drawn():
    assert plot.png(plot.confusion_figure(np.zeros((3, 3), int), np.zeros((3, 3), int), list("abc")))


@pytest.mark.parametrize(("classes", "cells_written"), [(20, True), (21, False)])
def test_counts_are_written_only_where_they_fit(classes, cells_written):
    figure = plot.confusion_figure(counts(classes), counts(classes, 1), [str(index) for index in range(classes)])
    assert bool(figure.axes[0].texts) is cells_written


@pytest.mark.parametrize("classes", [2, 34, 35, 400])
def test_labels_are_thinned_and_never_overlap(classes):
    names = [f"a long class name {index}" for index in range(classes)]
    figure = plot.confusion_figure(counts(classes), counts(classes, 1), names)
    figure.draw_without_rendering()
    for axes in figure.axes[:2]:
        shown = axes.get_xticklabels()
        assert min(classes, 17) <= len(shown) <= 34
        boxes = [text.get_window_extent() for text in shown]
        assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(boxes))
    boxes = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]
    assert all(upper.y0 >= lower.y1 for upper, lower in itertools.pairwise(boxes))


def test_a_thinned_label_names_the_class_of_its_row():
    axes = plot.confusion_figure(None, counts(100), [f"class {index}" for index in range(100)]).axes[0]
    for position, text in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
        assert text.get_text() == f"class {round(position)}"


def test_with_more_classes_than_cells_a_cell_stands_for_several_and_says_so():
    names = [f"class {index}" for index in range(2500)]
    assert [plot.classes_in_a_cell(number) for number in (2, 1000, 1001, 2500, 10_000)] == [1, 1, 2, 3, 10]
    figure = plot.confusion_figure(None, counts(834), names, [5])
    assert figure.get_suptitle().endswith("each cell is 3 classes by 3, in their order")
    assert figure.axes[0].get_title(loc="left") == f"Test: 5 of {counts(834).sum():,} right"
    for position, text in zip(figure.axes[0].get_yticks(), figure.axes[0].get_yticklabels(), strict=True):
        assert text.get_text() == f"class {3 * round(position)}"


def test_odd_class_names_are_drawn_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot.confusion_figure(None, counts(4), ["$x_1$", "猫", "a" * 200, ""])
        plot.png(figure)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()][:2] == ["$x_1$", "#1 □"]
