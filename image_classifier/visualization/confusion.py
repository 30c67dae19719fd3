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
_MOST_CELLS = 1000  # in a row: with more classes than that, a cell stands for several
_LONGEST_LABEL = 20
_LETTER_WIDTH = 0.085  # inches, at this size
_TICKS = (0, 0.01, 0.05, 0.2, 0.5, 1)

Counts = npt.NDArray[np.integer]


def classes_in_a_cell(number: int) -> int:
    """How many neighbouring classes one row of the picture stands for: 10,000 by 10,000 cells nobody sees or holds."""
    return math.ceil(number / _MOST_CELLS)


@style()
def confusion_figure(
    val_counts: Counts | None, test_counts: Counts, classes: Sequence[str], right: Sequence[int] | None = None
) -> Figure:
    """The confusion matrices (rows: truth, columns: prediction) of validation, where there is one, and test.

    Where a cell stands for several classes (`classes_in_a_cell`), `right` says how many answers are right in each.
    """
    matrices = [test_counts] if val_counts is None else [val_counts, test_counts]
    titles = ["Test"] if val_counts is None else ["Validation", "Test"]
    right = [int(np.trace(counts)) for counts in matrices] if right is None else right
    panels = [
        (f"{title}: {hits:,} of {int(counts.sum()):,} right", counts)
        for title, hits, counts in zip(titles, right, matrices, strict=True)
    ]
    side = min(7.0, max(3.0, 0.42 * len(classes)))
    figure = blank(len(panels) * (side + 0.3) + 2.4, side + 1.9, squares=True)
    width = classes_in_a_cell(len(classes))
    cells = f"; each cell is {width} classes by {width}, in their order" if width > 1 else ""
    heading(figure, f"Confusion matrix, true class by predicted class{cells}")
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    images = [_draw(axes, title, counts) for axes, (title, counts) in zip(all_axes, panels, strict=True)]
    for axes in all_axes:
        _label_axes(axes, classes, width, side / len(test_counts))
    all_axes[0].set_ylabel("true class")
    bar = figure.colorbar(images[-1], ax=list(all_axes), fraction=0.05, pad=0.02, aspect=30)
    bar.set_ticks(_TICKS, labels=[percent(tick) for tick in _TICKS])
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    return settled(figure)


def _draw(axes: Axes, title: str, counts: Counts) -> AxesImage:
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.ma.masked_array(counts / np.maximum(totals, 1), mask=np.broadcast_to(totals == 0, counts.shape))
    colors = mpl.colormaps["Blues"].with_extremes(bad=FAINT)
    # The square root keeps an error of 1 % visible beside a diagonal near 100 %.
    image = axes.imshow(shares, cmap=colors, norm=PowerNorm(0.5, 0, 1), aspect="equal")
    axes.set_title(title)
    if len(counts) <= _MOST_WRITTEN:
        _write(axes, counts, shares)
    return image


def _write(axes: Axes, counts: Counts, shares: np.ma.MaskedArray) -> None:
    size = 8 if counts.max(initial=0) < 10_000 else 6
    for row, column in np.argwhere(counts).tolist():
        color = "white" if shares[row, column] > 0.4 else INK
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=size, color=color)
    for row in np.flatnonzero(counts.sum(axis=1) == 0).tolist():
        axes.text(len(counts) / 2 - 0.5, row, "no examples", ha="center", va="center", fontsize=8, color=QUIET)


def _label_axes(axes: Axes, classes: Sequence[str], width: int, cell: float) -> None:
    """Names at some of the cells: of the first class of each."""
    cells = math.ceil(len(classes) / width)
    step = math.ceil(cells / _MOST_LABELS)
    shown = range(0, cells, step)
    labels = [label(classes[index * width], index * width, _LONGEST_LABEL) for index in shown]
    turned = _LETTER_WIDTH * max(map(len, labels)) > cell * step
    axes.set_xticks(shown, labels, rotation=90 if turned else 0, color=INK)
    axes.set_yticks(shown, labels, color=INK)
    axes.tick_params(length=0 if step == 1 else 3)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted class")
