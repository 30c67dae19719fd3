"""`training_history.png`: loss, accuracy and learning rate by epoch."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from image_classifier.visualization.style import BLUE, INK, ORANGE, QUIET, blank, heading, settled, style

_MOST_MARKERS = 40
_LOG_FROM = 30  # largest over smallest loss: beyond, a linear scale shows only the first epochs
_STEPS = (1, 2, 5, 10)

Rows = Sequence[Mapping[str, Any]]


@style()
def history_figure(rows: Rows, best_epoch: int | None = None) -> Figure:
    """What the rows of `training_history.csv` say, epoch by epoch; `best_epoch`, the one kept, is marked."""
    figure = blank(8, 7)
    heading(figure, f"Training history, {len(rows)} epoch{'' if len(rows) == 1 else 's'}")
    loss, accuracy, rate = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1))
    for axes, train, val in ((loss, "loss", "val_loss"), (accuracy, "acc", "val_acc")):
        _draw(axes, rows, train, BLUE, "training")
        _draw(axes, rows, val, ORANGE, "validation")
    _draw(rate, rows, "lr", QUIET, "")
    for axes in (loss, accuracy, rate):
        axes.grid()
        if best_epoch is not None:
            kept = f"kept: epoch {best_epoch}"
            axes.axvline(best_epoch, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1, label=kept)
    _scale_loss(loss, rows)
    _scale_accuracy(accuracy)
    _scale_rate(rate, rows)
    _scale_epochs(rate, [row["epoch"] for row in rows])
    figure.legend(*loss.get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return settled(figure)


def _draw(axes: Axes, rows: Rows, key: str, color: str, name: str) -> None:
    points = [(row["epoch"], value) for row in rows for value in _present(row, key)]
    if points:
        marker = "o" if len(rows) <= _MOST_MARKERS else ""
        axes.plot(*zip(*points, strict=True), color=color, marker=marker, markersize=4, linewidth=1.5, label=name)


def _present(row: Mapping[str, Any], *keys: str) -> list[float]:
    values = (row.get(key) for key in keys)
    return [value for value in values if value is not None and math.isfinite(value)]


def _scale_loss(axes: Axes, rows: Rows) -> None:
    axes.set_title("Loss")
    losses = [value for row in rows for value in _present(row, "loss", "val_loss") if value > 0]
    if losses and max(losses) > _LOG_FROM * min(losses):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(bottom=0)


def _scale_accuracy(axes: Axes) -> None:
    axes.set_title("Accuracy")
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=_STEPS))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))


def _scale_rate(axes: Axes, rows: Rows) -> None:
    axes.set_title("Learning rate")
    highest = max((value for row in rows for value in _present(row, "lr")), default=0) or 1
    axes.set_ylim(0, 1.15 * highest)
    axes.set_yticks([0, highest], ["0", f"{highest:.3g}"])


def _scale_epochs(axes: Axes, epochs: Sequence[int]) -> None:
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=_STEPS, min_n_ticks=1))
    if epochs:
        axes.set_xlim(min(epochs) - 0.4, max(epochs) + max(0.4, 0.01 * len(epochs)))
