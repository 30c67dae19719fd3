"""`confusion_matrix.png`: which classes are taken for which."""

import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from image_classifier.visualization.style import FAINT, INK, QUIET, blank, heading, label, percent, settled, style

_MOST_WRITTEN = 20  # classes: with more, the counts do not fit their cells
_MOST_LABELS = 34
_LONGEST_LABEL = 20
_LETTER_WIDTH = 0.085  # inches, at this size
_TICKS = (0, 0.01, 0.05, 0.2, 0.5, 1)

Counts = npt.NDArray[np.integer]


@style()
def confusion_figure(val_counts: Counts | None, test_counts: Counts, classes: Sequence[str]) -> Figure:
    """The confusion matrices (rows: truth, columns: prediction) of validation, where there is one, and test."""
    panels = [("Validation", val_counts)] if val_counts is not None else []
    panels.append(("Test", test_counts))
    side = min(7.0, max(3.0, 0.42 * len(classes)))
    figure = blank(len(panels) * (side + 0.3) + 2.4, side + 1.9, squares=True)
    heading(figure, "Confusion matrix, true class by predicted class")
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    images = [_draw(axes, split, counts) for axes, (split, counts) in zip(all_axes, panels, strict=True)]
    for axes in all_axes:
        _label_axes(axes, classes, side / len(classes))
    all_axes[0].set_ylabel("true class")
    bar = figure.colorbar(images[-1], ax=list(all_axes), fraction=0.05, pad=0.02, aspect=30)
    bar.set_ticks(_TICKS, labels=[percent(tick) for tick in _TICKS])
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    return settled(figure)


def _draw(axes: Axes, split: str, counts: Counts) -> AxesImage:
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.ma.masked_array(counts / np.maximum(totals, 1), mask=np.broadcast_to(totals == 0, counts.shape))
    colors = mpl.colormaps["Blues"].with_extremes(bad=FAINT)
    # The square root keeps an error of 1 % visible beside a diagonal near 100 %.
    image = axes.imshow(shares, cmap=colors, norm=PowerNorm(0.5, 0, 1), aspect="equal")
    axes.set_title(_title(split, counts))
    if len(counts) <= _MOST_WRITTEN:
        _write(axes, counts, shares)
    return image


def _title(split: str, counts: Counts) -> str:
    return f"{split}: {int(np.trace(counts)):,} of {int(counts.sum()):,} right"


def _write(axes: Axes, counts: Counts, shares: np.ma.MaskedArray) -> None:
    size = 8 if counts.max(initial=0) < 10_000 else 6
    for row, column in np.argwhere(counts).tolist():
        color = "white" if shares[row, column] > 0.4 else INK
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=size, color=color)
    for row in np.flatnonzero(counts.sum(axis=1) == 0).tolist():
        axes.text(len(counts) / 2 - 0.5, row, "no examples", ha="center", va="center", fontsize=8, color=QUIET)


def _label_axes(axes: Axes, classes: Sequence[str], cell: float) -> None:
    step = math.ceil(len(classes) / _MOST_LABELS)
    shown = range(0, len(classes), step)
    labels = [label(classes[index], index, _LONGEST_LABEL) for index in shown]
    turned = _LETTER_WIDTH * max(map(len, labels)) > cell * step
    axes.set_xticks(shown, labels, rotation=90 if turned else 0, color=INK)
    axes.set_yticks(shown, labels, color=INK)
    axes.tick_params(length=0 if step == 1 else 3)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted class")
