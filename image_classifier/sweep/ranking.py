"""The runs of a sweep in order: the best by validation, never by test; repeats of one setting as their mean."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from image_classifier.evaluation.intervals import Interval
from image_classifier.evaluation.intervals import mean as mean_interval

_SPLIT = "split_seed"
REPEATS = ("seed", _SPLIT)

Axes = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Scored:
    """One finished run: its name, its value on each axis, and its `metrics.json`."""

    name: str
    values: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @property
    def validation(self) -> float | None:
        """Its accuracy on validation; None where there is none."""
        return self.metrics["val"]["accuracy"] if self.metrics["val"] else None

    @property
    def test(self) -> float:
        """Its accuracy on test."""
        return float(self.metrics["accuracy"])


@dataclass(frozen=True)
class Mean:
    """The mean of some accuracies, and its 95 % t interval where there are two or more."""

    value: float
    interval: Interval | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        """The mean of the values."""
        return cls(statistics.fmean(values), mean_interval(values))


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seeds, best first."""

    values: Mapping[str, Any]
    runs: Sequence[Scored]

    @property
    def validation(self) -> Mean | None:
        """The mean accuracy on validation; None if one of the runs has none."""
        shares = [run.validation for run in self.runs if run.validation is not None]
        return self._mean(shares) if len(shares) == len(self.runs) else None

    @property
    def test(self) -> Mean:
        """The mean accuracy on test."""
        return self._mean([run.test for run in self.runs])

    def _mean(self, shares: Sequence[float]) -> Mean:
        """The mean over splits, each the mean over its seeds: runs on one split are not independent of each other."""
        several = len({run.values.get(_SPLIT) for run in self.runs}) > 1
        found: dict[Any, list[float]] = {}
        for index, (run, share) in enumerate(zip(self.runs, shares, strict=True)):
            found.setdefault(run.values[_SPLIT] if several else index, []).append(share)
        return Mean.of([statistics.fmean(each) for each in found.values()])


def ranked(runs: Sequence[Scored]) -> list[Scored]:
    """Highest validation accuracy first, then lowest validation loss; those without validation last, in their order."""
    return sorted(runs, key=_rank)


def _rank(run: Scored) -> tuple[float, float]:
    val = run.metrics["val"]
    return (-val["accuracy"], val["loss"]) if val else (math.inf, math.inf)


def repeated(axes: Axes) -> tuple[str, ...]:
    """The seeds that the sweep repeats its runs over."""
    return tuple(name for name in REPEATS if len(axes.get(name, ())) > 1)


def groups(runs: Sequence[Scored], axes: Axes) -> list[Group]:
    """The runs by what they were tried with, seeds aside; best mean validation accuracy first."""
    names = [name for name in axes if name not in repeated(axes)]
    found: dict[tuple[Any, ...], list[Scored]] = {}
    for run in runs:
        found.setdefault(tuple((name, run.values[name]) for name in names), []).append(run)
    made = [Group(dict(values), ranked(members)) for values, members in found.items()]
    return sorted(made, key=_group_rank)


def _group_rank(group: Group) -> tuple[float, float]:
    if group.validation is None:
        return math.inf, math.inf
    # Sums in another order differ in the last digits; what is equal must count as equal.
    return -round(group.validation.value, 12), statistics.fmean(run.metrics["val"]["loss"] for run in group.runs)


def best(runs: Sequence[Scored], axes: Axes) -> Scored | None:
    """The best run of the best setting; None where nothing was validated."""
    first = next(iter(groups(runs, axes)), None)
    return first.runs[0] if first and first.validation else None


def effects(runs: Sequence[Scored], axis: str, values: Sequence[Any]) -> list[tuple[Any, list[float], Mean]]:
    """Each value of an axis with the accuracies of its runs (on validation where all have it) and their mean."""
    on_validation = validated(runs)
    found = []
    for value in values:
        own = [run for run in runs if run.values[axis] == value]
        shares = [run.validation if on_validation and run.validation is not None else run.test for run in own]
        if shares:
            found.append((value, shares, Mean.of(shares)))
    return found


def validated(runs: Sequence[Scored]) -> bool:
    """Whether every run was measured on validation."""
    return bool(runs) and all(run.validation is not None for run in runs)
