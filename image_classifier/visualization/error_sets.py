"""`error_sets.png`: the frequent error sets, each with its words, its figures and examples of what went wrong."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from image_classifier.visualization.gallery import coloured
from image_classifier.visualization.style import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    QUIET,
    blank,
    heading,
    label,
    percent,
    settled,
    style,
)

MOST_SETS_SHOWN = 10
_EXAMPLES = 8
_WORDS_WIDE = 40  # letters
_LONGEST_ANSWER = 13
_ROW, _FLAT_ROW, _IMAGE = 1.25, 1.0, 0.85  # inches
_LINE = 13  # points from one line of bold words to the next


class Example(NamedTuple):
    """An image that was answered wrongly, and with what."""

    image: npt.NDArray[np.uint8]
    answer: str


@style()
def error_sets_figure(report: Mapping[str, Any], examples: Sequence[Sequence[Example]], noun: str) -> Figure:
    """The first sets of `error_sets.json`, a row each: words, error rate with its interval, and images if there are."""
    sets = report["sets"][:MOST_SETS_SHOWN]
    columns = _EXAMPLES if examples else 0
    figure = blank(5.6 + _IMAGE * columns, 0.9 + (_ROW if columns else _FLAT_ROW) * max(1, len(sets)))
    heading(figure, _title(report, len(sets)))
    shown = "Above an image: what it was taken for.\n" if any(examples) else ""
    figure.supxlabel(shown + _explanation(report, noun), x=0.012, ha="left", fontsize=8, color=QUIET)
    widths = [3.1, 2.0, *[_IMAGE] * columns]
    grid = figure.add_gridspec(max(1, len(sets)), len(widths), width_ratios=widths)
    limit = max((each["error_rate_ci95"][1] for each in sets), default=1.0)
    for row, each in enumerate(sets):
        _write(figure.add_subplot(grid[row, 0]), each, row)
        _draw_rate(figure.add_subplot(grid[row, 1]), each, report, limit)
        for place in range(columns):
            shown = examples[row][place] if place < len(examples[row]) else None
            _show(figure, grid, (row, place), shown)
    if not sets:
        axes = figure.add_subplot(grid[0, :])
        axes.set_axis_off()
        axes.text(0, 0.5, _nothing(report), va="center", fontsize=10, color=INK)
    return settled(figure)


def _title(report: Mapping[str, Any], shown: int) -> str:
    count = report["nb_freq_sets"]
    if count == 0:
        return "Frequent error sets: none found"
    which = f"the first {shown} of {count}" if shown < count else f"{count}"
    return f"Frequent error sets, {which}, least likely by chance first"


def _nothing(report: Mapping[str, Any]) -> str:
    if report["errors"] == 0:
        return "Every test example is classified right."
    if report["nb_tested"] == 0:
        return f"Too few examples: a set needs {report['least_examples']} of them."
    return "No group of test examples is wrong more often than chance allows."


def _explanation(report: Mapping[str, Any], noun: str) -> str:
    low, high = report["error_rate_ci95"]
    looked = f"{report['nb_tested']:,} sets with {report['least_examples']} {noun} or more were looked at"
    all_ = (
        f"{percent(report['error_rate'], 1)} of all {report['n']:,} test {noun} are wrong, "
        f"95 % interval {percent(low, 1)} to {percent(high, 1)}."
    )
    if not report["sets"]:
        return f"{looked}.\n{all_}"
    return (
        f"Blue line and band: {all_}\n"
        "Dot and bar: share of the set that is wrong, and its 95 % interval. Orange: confirmed, which is\n"
        "found in one random half of the test split and wrong too often in the other half too.\n"
        f"{looked}; at most {percent(report['false_discovery_rate'])} of those listed are expected to be chance."
    )


def _write(axes: Axes, each: Mapping[str, Any], row: int) -> None:
    axes.set_axis_off()
    lines = textwrap.wrap(label(each["itemsets_desc"], row, 3 * _WORDS_WIDE), _WORDS_WIDE) or [""]
    _below(axes, 0, "\n".join(lines[:3]), fontsize=9.5, fontweight="bold", color=INK)
    answer = label(each["wrong_class"], row, 20)
    text = (
        f"{each['errors']:,} of {each['n']:,} wrong, {percent(each['share_of_errors'])} of all errors\n"
        f"most often taken for {answer} ({each['wrong_class_n']:,})\n"
        f"{'confirmed on the other half' if each['confirmed'] else 'not confirmed on another half'}"
    )
    _below(axes, _LINE * min(3, len(lines)) + 3, text, fontsize=8, color=QUIET)


def _below(axes: Axes, points: float, text: str, **look: Any) -> None:
    """Write that many points below the upper left corner."""
    axes.annotate(text, (0, 1), (0, -points), "axes fraction", "offset points", va="top", **look)


def _draw_rate(axes: Axes, each: Mapping[str, Any], report: Mapping[str, Any], limit: float) -> None:
    """The set's error rate beside that of all."""
    axes.axvspan(*report["error_rate_ci95"], color=BLUE, alpha=0.15, linewidth=0)
    axes.axvline(report["error_rate"], color=BLUE, linewidth=1)
    axes.hlines(0, 0, 1, color=FAINT, linewidth=0.6, zorder=0)
    axes.hlines(0, *each["error_rate_ci95"], color=INK, linewidth=1.3)
    axes.plot(each["error_rate"], 0, "o", color=ORANGE if each["confirmed"] else INK, markersize=5)
    axes.text(each["error_rate"], 0.25, percent(each["error_rate"]), ha="center", va="bottom", fontsize=8, color=INK)
    axes.set_xlim(0, min(1.0, 1.05 * limit))
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    axes.locator_params(axis="x", nbins=4)
    axes.tick_params(axis="x", labelsize=7, length=2)


def _show(figure: Figure, grid: GridSpec, place: tuple[int, int], example: Example | None) -> None:
    row, column = place
    axes = figure.add_subplot(grid[row, 2 + column])
    axes.set_axis_off()
    if example is not None:
        axes.imshow(coloured(example.image), interpolation="auto")
        axes.set_title(label(example.answer, row, _LONGEST_ANSWER), fontsize=7, color=QUIET, loc="center", pad=3)
