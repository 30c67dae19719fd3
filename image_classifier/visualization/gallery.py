"""Example images in a grid, each under its title."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from image_classifier.visualization.style import INK, blank, label, settled, style

_COLUMNS = 8
_LONGEST_LINE = 18  # letters above an image

Image = npt.NDArray[np.uint8]


@style()
def gallery_figure(images: Sequence[Image], titles: Sequence[str]) -> Figure:
    """Images (uint8; height × width, or × 1 or 3 channels; any sizes) in a grid; a title may have several lines."""
    columns = max(1, min(_COLUMNS, len(images)))
    rows = max(1, math.ceil(len(images) / columns))
    lines = max((title.count("\n") + 1 for title in titles), default=1)
    figure = blank(1.35 * columns, (1.27 + 0.14 * lines) * rows)
    all_axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in all_axes:
        axes.set_axis_off()
    for index, (axes, image, title) in enumerate(zip(all_axes[: len(images)], images, titles, strict=True)):
        axes.imshow(coloured(image), interpolation="auto")
        axes.set_anchor("N")
        shown = "\n".join(label(line, index, _LONGEST_LINE) for line in title.split("\n"))
        axes.set_title(shown, fontsize=7.5, color=INK, loc="center", pad=3)
    return settled(figure)


def coloured(image: Image) -> Image:
    """The image with three channels."""
    gray = image.ndim == 2 or image.shape[2] == 1
    return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2) if gray else image
