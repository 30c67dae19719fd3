"""Groups of examples that are the same, or nearly, in one split or in several."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import cast

import numpy as np
import numpy.typing as npt

from image_classifier.data.examples import Pixels
from image_classifier.data.near_duplicates import near_pairs
from image_classifier.data.tables import Encoded

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Duplicates:
    """A group's number for each example, all splits counted through: of equal ones, and of nearly equal ones."""

    exact: Integers
    near: Integers


def duplicates(parts: Sequence[Pixels | Encoded], *, images: bool) -> Duplicates:
    """What is there more than once in these arrays; nearly equal rows of a table are not looked for."""
    seen: dict[bytes, int] = {}
    exact = np.array([seen.setdefault(_digest(row), len(seen)) for part in parts for row in part], np.int64)
    if not images:
        return Duplicates(exact, exact)
    from scipy.sparse import coo_array  # noqa: PLC0415  (a tenth of a second, which most commands need not pay)
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415  (as above)

    pairs = exact[np.array([*near_pairs(cast("Sequence[Pixels]", parts))], np.int64).reshape(-1, 2)]
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (len(seen), len(seen)))
    return Duplicates(exact, connected_components(links, directed=False)[1].astype(np.int64)[exact])


def members(groups: Integers) -> list[Integers]:
    """The examples of each group that has several, in order."""
    order = np.argsort(groups, kind="stable")
    counts = np.bincount(groups)
    starts = np.cumsum(counts) - counts
    return [order[starts[group] : starts[group] + counts[group]] for group in np.flatnonzero(counts > 1)]


def _digest(row: npt.NDArray[np.generic]) -> bytes:
    return blake2b(row.tobytes(), digest_size=16).digest()
