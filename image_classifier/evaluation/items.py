"""What is said of an example before its answer is known: its class, and in which part of the training data it lies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]
Marks = npt.NDArray[np.bool_]

_QUARTERS = (0.25, 0.5, 0.75)
_HALVES = (0.5,)
_ENOUGH_FOR_QUARTERS = 400  # examples: a quarter of fewer is hardly ever frequent


@dataclass(frozen=True)
class Item:
    """Something that an example has or has not: a key for programs, words for people."""

    key: str
    words: str


@dataclass(frozen=True, eq=False)
class Items:
    """Every item, which examples have it (items × examples), and where the parts of each quantity end."""

    items: Sequence[Item]
    marks: Marks
    edges: Mapping[str, list[float]]


@dataclass(frozen=True, eq=False)
class Quantity:
    """A number of each example, and of training examples, which say what is little and what is much.

    `words` are those of the four quarters, lowest first; without any, the edges are said.
    """

    name: str
    train: Values
    test: Values
    words: Sequence[str] | None = None


@dataclass(frozen=True, eq=False)
class Choice:
    """One of several values of each example, as its index in `words`; an index below 0 is none of them."""

    name: str
    values: Values
    keys: Sequence[str]
    words: Sequence[str]


def itemised(parts: Sequence[Quantity | Choice], count: int) -> Items:
    """The items of `count` examples."""
    found: list[tuple[Item, Marks]] = []
    edges = {}
    for part in parts:
        if isinstance(part, Choice):
            found += _of_choice(part)
        else:
            edges[part.name] = _edges(part, count)
            found += _of_quantity(part, edges[part.name])
    marks = np.stack([marks for _, marks in found]) if found else np.zeros((0, count), bool)
    return Items([item for item, _ in found], marks, edges)


def _edges(part: Quantity, count: int) -> list[float]:
    """The values that end the parts, all but the last; training data decides, so they are the same for every test."""
    shares = _QUARTERS if count >= _ENOUGH_FOR_QUARTERS else _HALVES
    return [float(edge) for edge in np.quantile(part.train, shares, method="inverted_cdf")]


def _of_quantity(part: Quantity, edges: Sequence[float]) -> Iterator[tuple[Item, Marks]]:
    # `left`: an edge itself belongs to the part that it ends.
    which = np.searchsorted(edges, part.test, side="left")
    for index in range(len(edges) + 1):
        words = _by_edges(part.name, edges, index) if part.words is None else _named(part.words, len(edges), index)
        yield Item(f"{part.name}={index + 1}/{len(edges) + 1}", words), which == index


def _named(words: Sequence[str], edges: int, index: int) -> str:
    return words[index] if edges == len(_QUARTERS) else words[1 + index]


def _by_edges(name: str, edges: Sequence[float], index: int) -> str:
    if index == 0:
        return f"{name} up to {edges[0]:.6g}"
    if index == len(edges):
        return f"{name} above {edges[-1]:.6g}"
    return f"{name} above {edges[index - 1]:.6g} and up to {edges[index]:.6g}"


def _of_choice(part: Choice) -> Iterator[tuple[Item, Marks]]:
    for index, (key, words) in enumerate(zip(part.keys, part.words, strict=True)):
        yield Item(f"{part.name}={key}", words), part.values == index
