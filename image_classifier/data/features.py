"""Small features of images and rows that need no trained network: enough to see which labels look wrong.

Images: brightness and colour in a coarse grid; and random patches, whitened, as the filters of one layer (Coates, Lee
and Ng 2011), whose answers of either sign are averaged over the four quarters of an image.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import adaptive_avg_pool2d, conv2d, interpolate

from image_classifier.data.examples import Pixels
from image_classifier.data.measures import pieces
from image_classifier.data.tables import Column, Encoded
from image_classifier.randomness import below, bits, key

Features = npt.NDArray[np.float32]

_SIDE = 32  # larger images are made smaller first
_FINE = 20  # from here on every second place is enough: a quarter of the time
_PATCH = 6
_FILTERS = 128
_PATCHES = 6000  # from which the whitening is learned and the filters are taken
_QUARTERS, _PLACES = 2, 4
_NOISE, _WHITENING = 10.0, 0.1  # Coates' constants, for pixels of 0..255
_THRESHOLD = 0.25
_HIDDEN = 128  # random units for rows


def image_features(parts: Sequence[Pixels]) -> Features:
    """A row of numbers for each image of the parts (N, H, W, C), which have one size; each of mean 0, deviation 1."""
    with torch.inference_mode():
        filters = _Filters(_sample(parts))
        small = (_small(piece) for part in parts for piece in pieces(part))
        found = [torch.cat([_look(images), filters(images)], dim=1).numpy() for images in small]
    return standardised(np.concatenate(found))


def row_features(parts: Sequence[Encoded], columns: Sequence[Column]) -> Features:
    """A row of numbers for each row of a table: its own, and random bends of them for what is not a straight line."""
    rows = standardised(np.concatenate([np.asarray(part).reshape(len(part), -1) for part in parts]))
    random = np.random.default_rng(key(0, "features", len(columns)))
    weights = random.standard_normal((rows.shape[1], _HIDDEN)) / np.sqrt(rows.shape[1])
    bent = np.maximum(rows @ weights + random.standard_normal(_HIDDEN), 0)
    return standardised(np.concatenate([rows, bent], axis=1))


def _look(images: torch.Tensor) -> torch.Tensor:
    """What the filters leave out: brightness and colour by place, and how much they vary."""
    places = adaptive_avg_pool2d(images, min(_PLACES, *images.shape[2:])).flatten(1)
    return torch.cat([places, images.flatten(2).std(dim=2, correction=0)], dim=1)


class _Filters:
    """Whitened patches as filters: contrast is taken out of each place first."""

    def __init__(self, images: torch.Tensor) -> None:
        count, self._channels, height, width = images.shape
        self._side = min(_PATCH, max(1, min(height, width) // 2))
        self._step = 2 if min(height, width) >= _FINE else 1
        patches = self._cut(images, count)
        mean = patches.mean(dim=0)
        values, vectors = torch.linalg.eigh(torch.cov((patches - mean).T).reshape(len(mean), len(mean)).double())
        whiten = (vectors @ torch.diag((values.clamp(min=0) + _WHITENING).rsqrt()) @ vectors.T).float()
        white = (patches[:_FILTERS] - mean) @ whiten
        weights = white / white.norm(dim=1, keepdim=True).clamp(min=1e-6) @ whiten
        self._bias = -(weights @ mean)
        self._sums = weights.sum(dim=1)[:, None, None]
        self._kernels = weights.reshape(-1, self._channels, self._side, self._side)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        mean, deviation = self._moments(images)
        found = conv2d(images, self._kernels, stride=self._step).addcmul_(mean, self._sums, value=-1)
        found = found.div_(deviation).add_(self._bias[:, None, None])
        halves = (found.clamp(min=_THRESHOLD), found.neg_().clamp_(min=_THRESHOLD))
        grid = min(_QUARTERS, *found.shape[2:])
        answers = torch.cat([adaptive_avg_pool2d(half, grid).flatten(1) for half in halves], dim=1)
        return (answers - _THRESHOLD + 1e-6).sqrt()

    def _moments(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation of the patch at each place."""
        box = torch.full((1, self._channels, self._side, self._side), 1 / (self._channels * self._side**2))
        mean = conv2d(images, box, stride=self._step)
        return mean, (conv2d(images * images, box, stride=self._step) - mean * mean).clamp(min=0).add(_NOISE).sqrt()

    def _cut(self, images: torch.Tensor, count: int) -> torch.Tensor:
        """Random patches, one a row, of mean 0 and about one contrast."""
        height, width = images.shape[2:]
        numbers = np.arange(_PATCHES)
        which, top, left = (
            torch.from_numpy(below(bound, bits(key(0, purpose), numbers)))
            for purpose, bound in (
                ("which", count), ("top", height - self._side + 1), ("left", width - self._side + 1)
            )
        )  # fmt: skip
        steps = torch.arange(self._side)
        rows, columns = (top[:, None] + steps)[:, :, None], (left[:, None] + steps)[:, None, :]
        patches = images[which[:, None, None], :, rows, columns].permute(0, 3, 1, 2).flatten(1)
        patches = patches - patches.mean(dim=1, keepdim=True)
        return patches / (patches.square().mean(dim=1, keepdim=True) + _NOISE).sqrt()


def _sample(parts: Sequence[Pixels]) -> torch.Tensor:
    """Some images of the first part, which is the largest."""
    count = len(parts[0])
    chosen = np.unique(np.linspace(0, count - 1, min(count, _PATCHES // 4)).astype(np.int64))
    return torch.cat([_small(piece) for piece in pieces(np.asarray(parts[0][chosen]))])


def _small(images: Pixels) -> torch.Tensor:
    """The images as float32 (N, C, H, W), none larger than `_SIDE`."""
    found = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float()
    height, width = (min(_SIDE, side) for side in images.shape[1:3])
    if (height, width) == images.shape[1:3]:
        return found
    return interpolate(found, size=(height, width), mode="bilinear", antialias=True)


def standardised(values: npt.NDArray[np.floating]) -> Features:
    """Columns of mean 0 and deviation 1."""
    centred = values - values.mean(axis=0)
    return np.asarray(centred / np.maximum(centred.std(axis=0), 1e-6), np.float32)
