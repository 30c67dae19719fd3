"""The pictures of a sweep show every run at its value, on a scale that suits the values."""

import itertools
import math

import numpy as np
import pytest

from image_classifier.visualization import plot
from image_classifier.visualization.plot import Level, Line, Panel

pytestmark = pytest.mark.unit


def levels(values, shares=(0.5, 0.6, 0.7)):
    return [
        Level(value, [share + 0.01 * index for share in shares], 0.6, (0.4, 0.8)) for index, value in enumerate(values)
    ]


def lines_of(grid):
    combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    return [Line(values, 0.5 + 0.4 * index / len(combinations)) for index, values in enumerate(combinations)]


def ticks(axes):
    return [text.get_text() for text in axes.get_xticklabels()]


@pytest.mark.parametrize("panels", [1, 3, 10])
def test_each_setting_has_a_panel_with_all_its_runs(panels):
    figure = plot.effects_figure(
        [Panel(f"s{n}", levels(["a", "b"])) for n in range(panels)], "validation accuracy", "e"
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == [f"s{n}" for n in range(panels)]
    for axes in figure.axes:
        shown = np.concatenate([line.get_ydata() for line in axes.lines if len(line.get_ydata()) == 3])
        assert sorted(shown) == pytest.approx([0.5, 0.51, 0.6, 0.61, 0.7, 0.71])
        low, high = axes.get_ylim()
        assert low <= 0.4
        assert high >= 0.8
    assert figure.get_suptitle() == "e: validation accuracy against each setting"


def places(values, name="setting"):
    (axes,) = plot.effects_figure([Panel(name, levels(values))], "accuracy", "e").axes
    means = next(line for line in axes.lines if len(line.get_xdata()) == len(values) and set(line.get_ydata()) == {0.6})
    return list(means.get_xdata()), axes


def test_numbers_stand_in_proportion_and_wide_ranges_by_their_logarithm():
    assert places([16, 32, 64])[0] == [16, 32, 64]
    assert places([0.1, 1e-4, 1e-2])[0] == pytest.approx([-1, -4, -2])
    assert ticks(places([0.1, 1e-4, 1e-2])[1]) == ["0.0001", "0.01", "0.1"]
    assert places([0, 0.5, 100])[0] == [0, 0.5, 100]


@pytest.mark.parametrize("values", [["knn", "net"], [True, False], [None, 32, 64]])
def test_words_stand_side_by_side_without_a_line_between_them(values):
    at, axes = places(values)
    assert at == list(range(len(values)))
    assert not [line for line in axes.lines if line.get_linestyle() == "-"]


def test_seeds_are_no_quantities():
    at, axes = places([7, 1000, 3], "split_seed")
    assert at == [0, 1, 2]
    assert not [line for line in axes.lines if line.get_linestyle() == "-"]


def test_one_value_and_one_run_are_drawn():
    figure = plot.effects_figure([Panel("seed", [Level(3, [0.9], 0.9, None)])], "test accuracy", "e")
    assert ticks(figure.axes[0]) == ["3"]
    assert plot.png(figure)[:4] == b"\x89PNG"
    assert (
        plot.png(plot.parallel_figure({"seed": [3]}, [Line({"seed": 3}, 1.0)], "test accuracy", "e"))[:4] == b"\x89PNG"
    )


@pytest.mark.parametrize(
    "grid",
    [
        {"learning_rate": [0.1, 0.01]},
        {"image_size": [None, 8, 16, 32, 64]},
        {"model": list("abcdefg"), "split_seed": list(range(20))},
    ],
)
def test_each_run_is_a_line_through_its_values_to_its_accuracy_the_best_on_top(grid):
    runs = lines_of(grid)
    axes = plot.parallel_figure(grid, runs, "validation accuracy", "e").axes[0]
    assert len(axes.lines) == len(runs) == math.prod(map(len, grid.values()))
    ends = [line.get_ydata()[-1] for line in axes.lines]
    assert ends == sorted(ends)
    assert all(0 <= height <= 1 for line in axes.lines for height in line.get_ydata())
    assert ticks(axes) == [*grid, "validation accuracy"]
    colours = [sum(line.get_color()[:3]) for line in axes.lines]
    assert colours[0] > colours[-1], "the best is darkest"
    assert f"{len(runs)} runs by setting" in axes.figure.get_suptitle()


def test_lines_of_runs_with_one_value_lie_close_and_apart():
    grid = {"model": ["a", "b"], "seed": [0, 1, 2]}
    axes = plot.parallel_figure(grid, lines_of(grid), "accuracy", "e").axes[0]
    starts = sorted(line.get_ydata()[0] for line in axes.lines)
    assert len(set(starts)) == 6
    assert starts[2] - starts[0] < 0.05 < starts[3] - starts[2]


def test_equal_sweeps_have_equal_bytes_and_hostile_names_do_no_harm():
    grid = {"drop_columns": ["$x$", "<b>", "ä" * 300, "漢"], "momentum": [0.1, 0.9]}
    pictures = [plot.png(plot.parallel_figure(grid, lines_of(grid), "accuracy", "$e_1$")) for _ in range(2)]
    assert pictures[0] == pictures[1]
    panels = [Panel(name, levels(values)) for name, values in grid.items()]
    assert plot.png(plot.effects_figure(panels, "a", "e")) == plot.png(plot.effects_figure(panels, "a", "e"))
