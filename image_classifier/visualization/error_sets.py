"""`error_sets.png`: the frequent error sets, each with its words, its figures and examples of what went wrong.

All is drawn into one pair of axes whose unit is the inch: a grid of a hundred axes would take seconds to lay out.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from image_classifier.visualization.gallery import coloured
from image_classifier.visualization.style import BLUE, FAINT, INK, ORANGE, QUIET, blank, label, percent, style

MOST_SETS_SHOWN = 10
_EXAMPLES = 8
_WORDS_WIDE = 36  # letters of a line
_MOST_LINES = 3
_LONGEST_ANSWER = 13
# Inches: the height of a set with images and of one without, the side of an image and the step to the next.
_ROW, _FLAT_ROW, _SIDE, _STEP = 1.2, 1.05, 0.72, 0.82
_RATE_FROM, _RATE_WIDE, _IMAGES_FROM = 2.9, 1.9, 5.1
_WORDS = _RATE_FROM - 0.25  # the axis of the rates begins with a label around its end
_RATE_HIGH, _RATE_DOT = 0.75, 0.42  # below the upper edge of a row: the axis, the dot
_LINE, _SMALL_LINE, _TITLE = 0.17, 0.145, 0.45


class Example(NamedTuple):
    """An image that was answered wrongly, and with what."""

    image: npt.NDArray[np.uint8]
    answer: str


@style()
def error_sets_figure(report: Mapping[str, Any], examples: Sequence[Sequence[Example]], noun: str) -> Figure:
    """The first sets of `error_sets.json`, a row each: words, error rate with its interval, and images if there are."""
    sets = report["sets"][:MOST_SETS_SHOWN]
    row_high = _ROW if any(examples) else _FLAT_ROW
    wide = _IMAGES_FROM + (_STEP * _EXAMPLES if any(examples) else 0)
    explained = _explanation(report, noun, images=any(examples))
    high = _TITLE + row_high * len(sets) + _SMALL_LINE * (len(explained) + 1) + (0 if sets else 2 * _LINE)
    figure = blank(wide, high)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, wide), ylim=(high, 0))
    axes.set_axis_off()
    axes.text(0, 0.05, _title(report, len(sets)), va="top", fontsize=11.5, fontweight="bold")
    limit = max((each["error_rate_ci95"][1] for each in sets), default=1.0)
    for row, each in enumerate(sets):
        top = _TITLE + row_high * row
        _write(axes, top, each, row)
        _draw_rate(axes, top, each, report, min(1.0, 1.05 * limit))
        for place, example in enumerate(examples[row][:_EXAMPLES] if examples else ()):
            _show(axes, top, place, example)
    below = _TITLE + row_high * len(sets) + (0 if sets else 2 * _LINE)
    if not sets:
        axes.text(0, _TITLE + _LINE, _nothing(report), va="center", fontsize=10)
    for line, text in enumerate(explained):
        axes.text(0, below + _SMALL_LINE * (line + 0.5), text, va="top", fontsize=8, color=QUIET)
    return figure


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


def _explanation(report: Mapping[str, Any], noun: str, *, images: bool) -> list[str]:
    low, high = report["error_rate_ci95"]
    looked = f"{report['nb_tested']:,} sets with {report['least_examples']} {noun} or more were looked at"
    all_ = (
        f"{percent(report['error_rate'], 1)} of all {report['n']:,} test {noun} are wrong, "
        f"95 % interval {percent(low, 1)} to {percent(high, 1)}."
    )
    if not report["sets"]:
        return [f"{looked}.", all_]
    return [
        *(["Above an image: what it was taken for."] if images else []),
        f"Blue line and band: {all_}",
        "Dot and bar: share of the set that is wrong, and its 95 % interval. Orange: confirmed, which is",
        "found in one random half of the test split and wrong too often in the other half too.",
        f"{looked}; at most {percent(report['false_discovery_rate'])} of those listed are expected to be chance.",
    ]


def _write(axes: Axes, top: float, each: Mapping[str, Any], row: int) -> None:
    """Its words and its figures."""
    words = textwrap.wrap(label(each["itemsets_desc"], row, _MOST_LINES * _WORDS_WIDE), _WORDS_WIDE)[:_MOST_LINES]
    figures = [
        f"{each['errors']:,} of {each['n']:,} wrong, {percent(each['share_of_errors'])} of all errors",
        f"most often taken for {label(each['wrong_class'], row, 20)} ({each['wrong_class_n']:,})",
        "confirmed on the other half" if each["confirmed"] else "not confirmed on another half",
    ]
    for line, text in enumerate(words):
        _fit(axes, axes.text(0, top + _LINE * line, text, va="top", fontsize=9.5, fontweight="bold"), _WORDS)
    start = top + _LINE * len(words) + 0.04
    for line, text in enumerate(figures):
        _fit(axes, axes.text(0, start + _SMALL_LINE * line, text, va="top", fontsize=8, color=QUIET), _WORDS)


def _draw_rate(axes: Axes, top: float, each: Mapping[str, Any], report: Mapping[str, Any], limit: float) -> None:
    """The set's error rate beside that of all, on a scale from 0 to `limit`."""

    def at(rate: float) -> float:
        return _RATE_FROM + _RATE_WIDE * min(rate, limit) / limit

    low, high = map(at, report["error_rate_ci95"])
    bottom, dot = top + _RATE_HIGH, top + _RATE_DOT
    axes.fill_between([low, high], top, bottom, color=BLUE, alpha=0.15, linewidth=0)
    axes.vlines(at(report["error_rate"]), top, bottom, color=BLUE, linewidth=1)
    axes.hlines(dot, _RATE_FROM, _RATE_FROM + _RATE_WIDE, color=FAINT, linewidth=0.6, zorder=0)
    axes.hlines(dot, at(each["error_rate_ci95"][0]), at(each["error_rate_ci95"][1]), color=INK, linewidth=1.3)
    axes.plot(at(each["error_rate"]), dot, "o", color=ORANGE if each["confirmed"] else INK, markersize=5)
    axes.text(at(each["error_rate"]), dot - 0.1, percent(each["error_rate"]), ha="center", va="bottom", fontsize=8)
    axes.hlines(bottom, _RATE_FROM, _RATE_FROM + _RATE_WIDE, color=QUIET, linewidth=0.8)
    ticks = [tick for tick in MaxNLocator(4).tick_values(0, limit) if tick <= limit]
    axes.vlines([at(tick) for tick in ticks], bottom, bottom + 0.03, color=QUIET, linewidth=0.8)
    digits = 0 if limit > 0.1 else 1
    for tick in ticks:
        text = percent(tick, digits)
        axes.text(at(tick), bottom + 0.05, text, ha="center", va="top", fontsize=7, color=QUIET)


def _show(axes: Axes, top: float, place: int, example: Example) -> None:
    """An image with its answer above it."""
    left, upper = _IMAGES_FROM + _STEP * place, top + _SMALL_LINE
    high, wide = (side / max(example.image.shape[:2]) * _SIDE for side in example.image.shape[:2])
    extent = (left, left + wide, upper + high, upper)
    axes.imshow(coloured(example.image), extent=extent, interpolation="auto", aspect="auto")
    answer = label(example.answer, place, _LONGEST_ANSWER)
    _fit(axes, axes.text(left + _SIDE / 2, top, answer, ha="center", va="top", fontsize=7, color=QUIET), _SIDE)


def _fit(axes: Axes, text: Text, wide: float) -> None:
    """Write a text smaller where it would be wider than that many inches."""
    share = wide / text.get_window_extent().transformed(axes.transData.inverted()).width
    if share < 1:
        text.set_fontsize(share * float(text.get_fontsize()))
