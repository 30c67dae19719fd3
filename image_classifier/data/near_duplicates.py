"""Which images are nearly the same as another one: copies in another size, compression or exposure."""

import contextlib
import functools
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from image_classifier.data.examples import Pixels
from image_classifier.data.mapped import MappedRows
from image_classifier.data.measures import Floats, luma, pieces

_GRID = 8  # an image is first compared as 8 × 8 gray fields
_SEARCHED = 8  # by how many coordinates, the coarsest, the nearest is searched; 16 find 53 of CIFAR-10 where 8 find 52
# As distances of images of mean 0 and length 1: a correlation of 0.989, then one of 0.9 of all pixels. Some 50 test
# images of CIFAR-10 have such a training image, nearly all of them copies to the eye.
_NEAR = 0.15
_ALIKE = 0.9
_FLAT = 2.0  # gray levels of deviation below which there is nothing to compare
_PAIRS, _QUERIES = 500, 10_000  # looked at together, so that memory does not grow with the images
_NEIGHBOURS = 5  # the image itself, and how many others are looked at: what is there more often hangs together

Marks = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


def near_duplicates(images: Pixels, others: Pixels) -> Marks:
    """Which of the images (N, H, W, C) are near-duplicates of one of the others, which have the same size."""
    found = np.zeros(len(images), bool)
    if min(images.shape[1:3]) < 2:  # one row or column is no picture
        return found
    pairs = _near(_coarse([images]), _coarse([others]), 1)
    for image, _ in _alike(pairs, _Rows([images]), _Rows([others])):
        found[image] = True
    return found


def near_pairs(parts: Sequence[Pixels]) -> Iterator[tuple[int, int]]:
    """Pairs of near-duplicates among all images of the parts, which have one size, counted through; the lower first."""
    if min(parts[0].shape[1:3]) < 2:
        return
    all_ = _coarse(parts)
    found = np.sort(_near(all_, all_, _NEIGHBOURS), axis=1)
    rows = _Rows(parts)
    yield from _alike(np.unique(found[found[:, 0] < found[:, 1]], axis=0), rows, rows)


class _Rows:
    """Images of several parts, which may be larger than memory, by their numbers counted through."""

    def __init__(self, parts: Sequence[Pixels]) -> None:
        self.parts = [MappedRows(part) for part in parts]
        self._ends = np.cumsum([len(part) for part in parts])

    def take(self, numbers: Integers) -> Pixels:
        of = np.searchsorted(self._ends, numbers, side="right")
        found = np.empty((len(numbers), *self.parts[0].array.shape[1:]), np.uint8)
        for part in np.unique(of):
            rows = self.parts[part]
            found[of == part] = rows.take(numbers[of == part] - (self._ends[part] - len(rows.array)))
        return found


def _alike(pairs: Integers, mine: _Rows, theirs: _Rows) -> Iterator[tuple[int, int]]:
    """Those of the pairs that are near in all coordinates, and in all pixels."""
    with contextlib.ExitStack() as reading:
        for rows in {id(rows.array): rows for rows in (*mine.parts, *theirs.parts)}.values():
            reading.enter_context(rows.scattered())
        for start in range(0, len(pairs), _PAIRS):
            some = pairs[start : start + _PAIRS]
            images, others = mine.take(some[:, 0]), theirs.take(some[:, 1])
            with threadpool_limits(1):
                gaps = np.square(_coordinates(images) - _coordinates(others)).sum(axis=1)
            for at in np.flatnonzero(gaps <= _NEAR**2):
                if _correlation(images[at], others[at]) >= _ALIKE:
                    yield int(some[at, 0]), int(some[at, 1])


def _near(mine: Floats, theirs: Floats, neighbours: int) -> Integers:
    """Which vector lies near which other one, as pairs of their numbers; only so many nearest ones are looked at."""
    from scipy.spatial import cKDTree  # noqa: PLC0415  (a tenth of a second, which most commands need not pay)

    told, known = (np.flatnonzero(np.isfinite(each[:, 0])) for each in (mine, theirs))
    if not len(told) or not len(known):
        return np.zeros((0, 2), np.int64)
    tree = cKDTree(theirs if len(known) == len(theirs) else theirs[known], leafsize=32)
    ranks = list(range(1, 1 + min(neighbours, len(known))))
    found = []
    for start in range(0, len(told), _QUERIES):
        some = told[start : start + _QUERIES]
        distances, nearest = tree.query(mine[some], k=ranks, distance_upper_bound=_NEAR)
        rows, columns = np.nonzero(np.isfinite(distances))
        found.append(np.stack([some[rows], known[nearest[rows, columns]]], axis=1))
    return np.concatenate(found)


def _coarse(parts: Sequence[Pixels]) -> Floats:
    """The coordinates that are searched by, of all images: 64 bytes for each."""
    height, width = (min(_GRID, side) for side in parts[0].shape[1:3])
    told = np.empty((sum(map(len, parts)), min(_SEARCHED, height * width - 1)))
    at = 0
    with threadpool_limits(1):  # products so small are slowed down by threads, fivefold beside another process
        for piece in itertools.chain.from_iterable(map(pieces, parts)):
            told[at : at + len(piece)] = _coordinates(piece)[:, :_SEARCHED]
            at += len(piece)
    return told


def _coordinates(images: Pixels) -> Floats:
    """Each image as a vector of length 1 that exposure does not change, coarse parts first; NaN where it is flat."""
    height, width = (min(_GRID, side) for side in images.shape[1:3])
    rows, columns = (_fields(side, grid) for side, grid in zip(images.shape[1:3], (height, width), strict=True))
    # Sums of whole numbers below 2^24: exact, whatever the order.
    sums = _summed(luma(images).astype(np.float32), rows, columns).astype(np.float64)
    fields = sums / np.outer(rows.sum(axis=1), columns.sum(axis=1)).ravel()
    fields -= fields.mean(axis=1, keepdims=True)
    lengths = np.sqrt(np.square(fields).sum(axis=1))
    flat = lengths < _FLAT * np.sqrt(fields.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        told: Floats = (fields / lengths[:, None]) @ _all_waves(height, width)
    told[flat] = np.nan
    return told


@functools.cache
def _all_waves(height: int, width: int) -> Floats:
    """The waves of both directions as columns, the slowest first, without the constant one."""
    waves = np.kron(_waves(height), _waves(width))
    order = np.argsort(np.add.outer(np.arange(height), np.arange(width)).ravel(), kind="stable")[1:]
    return np.asarray(waves[order].T, np.float64)


@functools.cache
def _fields(side: int, grid: int) -> npt.NDArray[np.float32]:
    """Which pixels of a side belong to which field, as a matrix that sums them."""
    return np.asarray(np.arange(side) * grid // side == np.arange(grid)[:, None], np.float32)


def _summed(gray: npt.NDArray[np.float32], rows: npt.NDArray[np.float32], columns: npt.NDArray[np.float32]) -> Floats:
    across = (gray.reshape(-1, gray.shape[2]) @ columns.T).reshape(len(gray), gray.shape[1], -1)
    down = across.transpose(0, 2, 1).reshape(-1, gray.shape[1]) @ rows.T
    return down.reshape(len(gray), across.shape[2], -1).transpose(0, 2, 1).reshape(len(gray), -1)


def _waves(count: int) -> Floats:
    """The cosines of a discrete cosine transform, each of length 1, the slowest first."""
    waves = np.cos(np.pi / count * np.outer(np.arange(count), np.arange(count) + 0.5))
    return np.asarray(waves / np.sqrt(np.square(waves).sum(axis=1, keepdims=True)))


def _correlation(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    first, second = (luma(image[None]).astype(np.float64).ravel() for image in (one, other))
    first, second = first - first.mean(), second - second.mean()
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))
