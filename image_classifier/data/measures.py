"""What can be measured on an image without a model: brightness, contrast, sharpness, colour, border.

The sums are whole numbers, so that neither their order nor the processor can change a result.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from image_classifier.data.examples import Pixels
from image_classifier.data.mapped import refuse_cut_short

_PIECE_BYTES = 500_000
_BORDER_SHARE = 16  # the border is a sixteenth of the shorter side wide, one pixel at least

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Measures:
    """A number for each image; the scale is that of the pixels, 0 to 255."""

    brightness: Floats  # mean of the luma
    contrast: Floats  # its standard deviation
    sharpness: Floats  # root mean square of its Laplacian
    colour: Floats  # colourfulness (Hasler and Suesstrunk 2003); 0 where there is one channel
    border: Floats  # standard deviation of the luma along the border


def measures(images: Pixels) -> Measures:
    """The measures of uint8 images (N, H, W, C), read in pieces that stay in the processor's cache."""
    parts = [_measured(piece) for piece in pieces(images)]
    return Measures(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def pieces(examples: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Images, or rows, a few at a time, so that what is computed of them stays in the processor's cache."""
    step = max(1, _PIECE_BYTES // examples[:1].nbytes)
    for start in range(0, len(examples), step):
        refuse_cut_short(examples)
        yield np.asarray(examples[start : start + step])


def luma(images: Pixels) -> Pixels:
    """Gray levels (N, H, W) of images with one or three channels, as ITU-R BT.601 weighs them."""
    if images.shape[3] == 1:
        return images[..., 0]
    wide = images.astype(np.uint16)
    return ((77 * wide[..., 0] + 150 * wide[..., 1] + 29 * wide[..., 2]) >> 8).astype(np.uint8)


def _measured(images: Pixels) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    gray = luma(images).astype(np.int32)
    mean, contrast = _moments(gray.reshape(len(gray), -1))
    return mean, contrast, _sharpness(gray), _colour(images), _moments(_border(gray))[1]


def _moments(values: npt.NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each row; exact until the division."""
    count = values.shape[1]
    total = values.sum(axis=1, dtype=np.int64)
    squares = np.einsum("ij,ij->i", values, values, dtype=np.int64)
    return total / count, np.sqrt((count * squares - total * total).astype(np.float64)) / count


def _sharpness(gray: npt.NDArray[np.int32]) -> Floats:
    if min(gray.shape[1:]) < 3:  # no pixel has four neighbours
        return np.zeros(len(gray))
    inner = 4 * gray[:, 1:-1, 1:-1]
    inner -= gray[:, :-2, 1:-1] + gray[:, 2:, 1:-1] + gray[:, 1:-1, :-2] + gray[:, 1:-1, 2:]
    flat = inner.reshape(len(gray), -1)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", flat, flat, dtype=np.int64) / flat.shape[1]))


def _colour(images: Pixels) -> Floats:
    if images.shape[3] == 1:
        return np.zeros(len(images))
    red, green, blue = (images[..., channel].reshape(len(images), -1).astype(np.int32) for channel in range(3))
    (mean_rg, spread_rg), (mean_yb, spread_yb) = _moments(red - green), _moments(red + green - 2 * blue)
    # The second is twice the yellow-blue difference of the formula.
    return _length(spread_rg, spread_yb / 2) + 0.3 * _length(mean_rg, mean_yb / 2)


def _length(one: Floats, other: Floats) -> Floats:
    # Not np.hypot: a square root is the same on every processor.
    return np.sqrt(one * one + other * other)


def _border(gray: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    wide = max(1, min(gray.shape[1:]) // _BORDER_SHARE)
    inside = gray[:, wide:-wide]
    parts = (gray[:, :wide], gray[:, -wide:], inside[..., :wide], inside[..., -wide:])
    return np.concatenate([part.reshape(len(gray), -1) for part in parts], axis=1)
