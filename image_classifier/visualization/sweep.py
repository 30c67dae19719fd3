"""`sweep_settings.png` and `sweep_parallel.png`: what the settings of a sweep do to its runs' accuracy."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from image_classifier.visualization.style import BLUE, INK, QUIET, blank, heading, label, settled, style

_COLUMNS = 3  # panels beside one another
_LOG_FROM = 20  # largest over smallest value: beyond, a linear scale crowds all but the largest together
_SPREAD = 0.16  # how far points of one value stand from its middle, in steps between values
_MOST_TICKS = 12
_LETTERS_IN_A_ROW = 34
_LINES_APART = 0.016  # of runs with the same value, as a share of the height
_FEW = 20  # lines that can be thick
_LONGEST = 20
_COLOURS = "viridis_r"  # told apart by colour-blind readers, and in gray; the best is darkest
_NAMES = ("seed", "split_seed")  # numbers that are no quantities
_STRIP = 0.05  # width of the colour scale, in steps between settings


class Level(NamedTuple):
    """One value of a setting: the accuracies of its runs, their mean and its interval."""

    value: Any
    shares: Sequence[float]
    mean: float
    interval: tuple[float, float] | None


class Panel(NamedTuple):
    """One setting with its values."""

    name: str
    levels: Sequence[Level]


class Line(NamedTuple):
    """One run: its value on each axis, and its accuracy."""

    values: Mapping[str, Any]
    share: float


@style()
def effects_figure(panels: Sequence[Panel], measured: str, name: str) -> Figure:
    """The accuracy of all runs against each setting, with the mean of each value and its interval."""
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = blank(max(6.0, 3.7 * columns), 1.1 + 3.1 * rows)
    heading(figure, f"{label(name, 0)}: {measured} against each setting")
    note = "Small: one run. Large: the mean of a value's runs, with its 95 % t interval, over all that else was varied."
    figure.supxlabel(note, x=0.012, ha="left", fontsize=8, color=QUIET)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    limits = _limits([edge for panel in panels for level in panel.levels for edge in _edges(level)])
    for index, axes in enumerate(grid.flat):
        if index >= len(panels):
            axes.remove()
            continue
        _draw_panel(axes, panels[index])
        axes.set_ylim(*limits)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        axes.grid(axis="y")
    return settled(figure)


def _edges(level: Level) -> list[float]:
    return [*level.shares, *(level.interval or ())]


def _limits(shares: Sequence[float]) -> tuple[float, float]:
    low, high = min(shares), max(shares)
    margin = max(0.01, 0.06 * (high - low))
    return max(-0.02, low - margin), min(1.02, high + margin)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    values = [level.value for level in panel.levels]
    numeric = _numeric(panel.name, values)
    places = _places(values, numeric=numeric)
    spread = _SPREAD * (min(np.diff(sorted(places))) if len(places) > 1 else 1)
    for place, level in zip(places, panel.levels, strict=True):
        at = [place + spread * _offset(index, len(level.shares)) for index in range(len(level.shares))]
        axes.plot(at, level.shares, "o", color=BLUE, markersize=3.5, alpha=0.4, markeredgewidth=0)
        if level.interval:
            axes.vlines(place, *level.interval, color=INK, linewidth=1.4)
    means = [level.mean for level in panel.levels]
    axes.plot(places, means, "o", color=INK, markersize=5)
    if numeric:
        order = np.argsort(places)
        axes.plot(np.array(places)[order], np.array(means)[order], color=INK, linewidth=0.9)
    axes.set_title(label(panel.name, 0))
    _ticks(axes, places, values)


def _offset(index: int, count: int) -> float:
    """The place of one of several between -1 and 1."""
    return (2 * index + 1) / count - 1


def _numeric(name: str, values: Sequence[Any]) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return numbers and name not in _NAMES


def _places(values: Sequence[Any], *, numeric: bool) -> list[float]:
    """Where values stand: numbers in proportion, a wide range of them by their logarithm, the rest side by side."""
    if not numeric:
        return [float(place) for place in range(len(values))]
    low, high = min(values), max(values)
    if low > 0 and high >= _LOG_FROM * low and len(values) > 2:
        return [math.log10(value) for value in values]
    return [float(value) for value in values]


def _ticks(axes: Axes, places: Sequence[float], values: Sequence[Any]) -> None:
    """The values themselves, as many as fit."""
    order = sorted(range(len(places)), key=places.__getitem__)
    every = math.ceil(len(order) / _MOST_TICKS)
    chosen = order[::every]
    texts = [_text(values[index]) for index in chosen]
    axes.set_xticks([places[index] for index in chosen], texts)
    if sum(map(len, texts)) > _LETTERS_IN_A_ROW:
        axes.tick_params(axis="x", rotation=35)
        for text in axes.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    axes.xaxis.set_minor_locator(NullLocator())
    width = (max(places) - min(places)) or 1
    axes.set_xlim(min(places) - 0.12 * width - (width == 1) * 0.3, max(places) + 0.12 * width + (width == 1) * 0.3)


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    return f"{value:g}" if isinstance(value, float) else label(str(value), 0, _LONGEST)


@style()
def parallel_figure(grid: Mapping[str, Sequence[Any]], lines: Sequence[Line], measured: str, name: str) -> Figure:
    """One line per run through its value of each setting to its accuracy; the best runs are drawn last."""
    figure = blank(max(6.5, 2.0 + 1.7 * len(grid)), 4.6)
    heading(figure, f"{label(name, 0)}: {len(lines)} run{'' if len(lines) == 1 else 's'} by setting and {measured}")
    axes = figure.subplots()
    low, high = _limits([line.share for line in lines])
    heights = {axis: _heights(axis, values) for axis, values in grid.items()}
    for index, line in sorted(enumerate(lines), key=lambda each: each[1].share):
        spread = _LINES_APART * _offset(index, len(lines))
        scaled = (line.share - low) / (high - low)
        ys = [*(heights[axis][str(line.values[axis])] + spread for axis in grid), scaled]
        width = 1.6 if len(lines) <= _FEW else 0.9
        axes.plot(range(len(ys)), ys, color=colormaps[_COLOURS](scaled), linewidth=width, alpha=0.85)
    for place, (axis, values) in enumerate(grid.items()):
        _rail(axes, place, heights[axis], values)
    _scale(axes, len(grid), (low, high))
    axes.set_xlim(-0.3, len(grid) + 0.4)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks(range(len(grid) + 1), [*(label(axis, 0, _LONGEST) for axis in grid), measured], color=INK)
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0, pad=6)
    axes.spines[:].set_visible(False)
    return settled(figure)


def _heights(name: str, values: Sequence[Any]) -> dict[str, float]:
    """Where each value stands between the bottom, 0, and the top, 1: words from top to bottom, numbers upwards."""
    numeric = _numeric(name, values)
    places = _places(values, numeric=numeric)
    low, width = min(places), max(places) - min(places)
    heights = [(place - low) / width if width else 0.5 for place in places]
    upward = [height if numeric or not width else 1 - height for height in heights]
    return {str(value): 0.04 + 0.92 * height for value, height in zip(values, upward, strict=True)}


def _rail(axes: Axes, place: int, heights: Mapping[str, float], values: Sequence[Any]) -> None:
    """An upright line with the values of one setting, as many as fit."""
    axes.vlines(place, 0, 1, color=QUIET, linewidth=0.8, zorder=3)
    order = sorted(values, key=lambda value: heights[str(value)])
    for value in order[:: math.ceil(len(order) / _MOST_TICKS)]:
        _write(axes, place, heights[str(value)], _text(value), "right")


def _scale(axes: Axes, place: int, limits: tuple[float, float]) -> None:
    """The upright line of the accuracy, in the colours of the lines."""
    low, high = limits
    colours = np.linspace(0, 1, 256)[:, None]
    axes.imshow(colours, cmap=_COLOURS, extent=(place, place + _STRIP, 0, 1), origin="lower", aspect="auto", zorder=3)
    for share in MaxNLocator(6, steps=(1, 2, 5, 10)).tick_values(low, high):
        if low <= share <= high:
            _write(axes, place + _STRIP, (share - low) / (high - low), f"{100 * share:.4g} %", "left")


def _write(axes: Axes, place: float, height: float, text: str, side: Literal["left", "right"]) -> None:
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
    axes.annotate(
        text, (place, height), (-5 if side == "right" else 5, 0), textcoords="offset points", ha=side,
        va="center_baseline", fontsize=7.5, color=INK, bbox=box, zorder=4, annotation_clip=False,
    )  # fmt: skip
