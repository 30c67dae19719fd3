"""`metrics.png`: how well each class is recognised, and how sure that is."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from image_classifier.visualization.style import BLUE, FAINT, INK, QUIET, blank, heading, label, percent, settled, style

_ROWS_PER_COLUMN = 40
_MOST_CLASSES = 120
_ACCURACY_AT, _N_AT = 44, 84  # points right of the axes, where these columns of numbers end


class _Class(NamedTuple):
    label: str
    n: int
    accuracy: float
    low: float
    high: float


@style()
def accuracy_figure(report: Mapping[str, Any]) -> Figure:
    """Accuracy of each class and in total with 95 % intervals, lowest first, from the value of `metrics.json`."""
    classes = _classes(report["per_class"])
    shown = classes[:_MOST_CLASSES]
    columns = math.ceil(len(shown) / _ROWS_PER_COLUMN)
    rows = math.ceil(len(shown) / columns)
    figure = blank(8 if columns == 1 else 5.6 * columns, 1.5 + rows * (0.27 if columns == 1 else 0.2), gap=0.05)
    heading(figure, _title(report, len(classes), len(shown)))
    figure.supxlabel(_explanation(report), x=0.012, ha="left", fontsize=8, color=QUIET)
    limits = _limits(report, shown)
    for index, axes in enumerate(figure.subplots(1, columns, squeeze=False)[0]):
        _draw(axes, shown[index * rows : (index + 1) * rows], rows, report, limits)
    return settled(figure)


def _classes(per_class: Mapping[str, Mapping[str, Any]]) -> list[_Class]:
    # Without examples there is no accuracy; matplotlib draws nothing at NaN.
    classes = []
    for index, (name, figures) in enumerate(per_class.items()):
        low, high = figures["ci95"] or (math.nan, math.nan)
        accuracy = math.nan if figures["accuracy"] is None else figures["accuracy"]
        classes.append(_Class(label(name, index), figures["n"], accuracy, low, high))
    return sorted(classes, key=lambda one: (one.n == 0, one.accuracy if one.n else 0))


def _title(report: Mapping[str, Any], classes: int, shown: int) -> str:
    which = f"{shown} of {classes:,} classes" if shown < classes else f"{classes} classes"
    return f"Accuracy on the {report['split']} split, {which}, lowest first"


def _explanation(report: Mapping[str, Any]) -> str:
    if report["accuracy"] is None:
        return f"There are no {report['split']} examples."
    low, high = report["accuracy_ci95"]
    return (
        f"Blue line and band: {percent(report['accuracy'], 2)} of all {report['n']:,} examples were recognised, "
        f"95 % interval {percent(low, 2)} to {percent(high, 2)}.\n"
        "Dot and bar: share of the class's n examples that were recognised, and its 95 % interval."
    )


def _limits(report: Mapping[str, Any], shown: Sequence[_Class]) -> tuple[float, float]:
    # Full tens of percent around all intervals: high accuracies would crowd the right edge of a scale from 0.
    edges = [edge for one in shown if one.n for edge in (one.low, one.high)]
    edges += report["accuracy_ci95"] or (0, 1)
    low, high = math.floor(min(edges) * 10 + 1e-9), math.ceil(max(edges) * 10 - 1e-9)
    return max(0, min(low, high - 2)) / 10, min(10, max(high, low + 2)) / 10


def _draw(
    axes: Axes, classes: Sequence[_Class], rows: int, report: Mapping[str, Any], limits: tuple[float, float]
) -> None:
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_xlim(*limits)
    if report["accuracy"] is not None:
        axes.axvspan(*report["accuracy_ci95"], color=BLUE, alpha=0.15, linewidth=0)
        axes.axvline(report["accuracy"], color=BLUE, linewidth=1, clip_on=False)
    axes.hlines([row for row, one in enumerate(classes) if one.n], *limits, color=FAINT, linewidth=0.6, zorder=0)
    axes.hlines(
        range(len(classes)), [one.low for one in classes], [one.high for one in classes], color=INK, linewidth=1.3
    )
    axes.plot([one.accuracy for one in classes], range(len(classes)), "o", color=INK, markersize=4.5, clip_on=False)
    for row, one in enumerate(classes):
        _write(axes, row, one)
    _label_axes(axes, [one.label for one in classes], limits)


def _write(axes: Axes, row: int, one: _Class) -> None:
    _beside(axes, row, f"{one.n:,}", _N_AT, QUIET)
    if one.n:
        _beside(axes, row, percent(one.accuracy, 1), _ACCURACY_AT, INK)
    else:
        axes.text(axes.get_xlim()[0], row, " no examples", va="center_baseline", fontsize=8, color=QUIET)


def _beside(axes: Axes, row: float, text: str, points: float, color: str) -> None:
    axes.annotate(
        text,
        (1, row),
        (points, 0),
        ("axes fraction", "data"),
        "offset points",
        ha="right",
        va="center_baseline",
        fontsize=8,
        color=color,
        annotation_clip=False,
    )


def _label_axes(axes: Axes, labels: Sequence[str], limits: tuple[float, float]) -> None:
    axes.set_yticks(range(len(labels)), labels, color=INK)
    axes.tick_params(axis="y", length=0, pad=7)
    axes.spines["left"].set_visible(False)
    tens = round((limits[1] - limits[0]) * 10)
    step = 1 if tens <= 2 else 2 if tens <= 6 else 4  # in units of 5 %
    ticks = [twentieth / 20 for twentieth in range(round(limits[0] * 20), round(limits[1] * 20) + 1, step)]
    axes.set_xticks(ticks, [percent(tick) for tick in ticks])
    axes.grid(axis="x")
    _beside(axes, -1, "accuracy", _ACCURACY_AT, QUIET)
    _beside(axes, -1, "n", _N_AT, QUIET)
