"""Is one run better than another? Answered on the examples that both were tested on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from image_classifier.evaluation.intervals import Interval, paired_difference, wilson
from image_classifier.evaluation.significance import holm, mcnemar

ALPHA = 0.05
_SMALLEST_P = 1e-300  # below, floats lose digits and then become 0

_HEAD = ("run", "test data", "n", "accuracy", "95 % interval", "difference", "95 % interval", "McNemar p", "verdict")
_NOTE = (
    "Differences are to the first run, in percentage points, on the same test examples (score interval for pairs). "
    "The verdict is McNemar's exact two-sided test at 0.05"
)
_NOTE_HOLM = ", p-values corrected for {} comparisons (Holm)"


@dataclass(frozen=True, eq=False)
class Compared:
    """One run's answers on its test split."""

    name: str
    dataset_digest: str
    labels: npt.NDArray[np.integer]
    predicted: npt.NDArray[np.integer]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse with a ValueError labels and answers that are not pairs."""
        if self.labels.ndim != 1 or self.labels.shape != self.predicted.shape:
            raise ValueError(f"{self.name}: labels {self.labels.shape} and answers {self.predicted.shape} are no pairs")


@dataclass(frozen=True)
class Row:
    """One run's line: its accuracy, and what sets it apart from the first run.

    `n01` counts the examples that only this run gets right, `n10` those that only the first run gets right.
    """

    name: str
    dataset_digest: str
    n: int
    correct: int
    verdict: str
    n01: int | None = None
    n10: int | None = None
    p: float | None = None
    p_holm: float | None = None

    @property
    def accuracy(self) -> float | None:
        """The share of correct answers; None when there are no examples."""
        return self.correct / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        """The accuracy's 95 % interval."""
        return wilson(self.correct, self.n)

    @property
    def difference(self) -> float | None:
        """Accuracy minus that of the first run; None without pairs."""
        return None if self.n01 is None or self.n10 is None else (self.n01 - self.n10) / self.n

    @property
    def difference_interval(self) -> Interval | None:
        """The difference's 95 % interval; None without pairs."""
        return None if self.n01 is None or self.n10 is None else paired_difference(self.n01, self.n10, self.n)


@dataclass(frozen=True)
class Comparison:
    """The first run as baseline, every other run against it, and what is to be said beside."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All figures, unrounded."""
        notes = {"notes": list(self.notes)} if self.notes else {}
        return {"baseline": self.rows[0].name, "alpha": ALPHA, "runs": [_json(row) for row in self.rows], **notes}

    def to_markdown(self) -> str:
        """A table for people, and below it how to read it."""
        tested = sum(row.p is not None for row in self.rows)
        lines = [_line(_HEAD), _line(["---"] * len(_HEAD)), *(_line(_cells(row)) for row in self.rows)]
        note = _NOTE + (_NOTE_HOLM.format(tested) if tested > 1 else "") + "."
        below = [text for said in (*([note] if tested else []), *self.notes) for text in ("", said)]
        return "\n".join([*lines, *below]) + "\n"


def compare(runs: Sequence[Compared], notes: Sequence[str] = ()) -> Comparison:
    """Each run's accuracy, and whether it differs from the first run's by more than chance."""
    if not runs:
        raise ValueError("nothing to compare")
    first, *others = runs
    rows = [_row(first, "baseline"), *(_pair(first, other) for other in others)]
    corrected = iter(holm([row.p for row in rows if row.p is not None]))
    judged = (row if row.p is None else _judged(row, next(corrected)) for row in rows)
    return Comparison(tuple(judged), tuple(notes))


def _row(run: Compared, verdict: str) -> Row:
    correct = int((run.labels == run.predicted).sum())
    return Row(run.name, run.dataset_digest, len(run.labels), correct, verdict)


def _pair(first: Compared, run: Compared) -> Row:
    obstacle = _obstacle(first, run)
    if obstacle:
        return _row(run, f"not comparable: {obstacle}")
    first_right, run_right = first.predicted == first.labels, run.predicted == run.labels
    n01, n10 = int((run_right & ~first_right).sum()), int((first_right & ~run_right).sum())
    return replace(_row(run, ""), n01=n01, n10=n10, p=mcnemar(n01, n10))


def _obstacle(first: Compared, run: Compared) -> str:
    if first.classes != run.classes:
        return "different classes"
    if first.dataset_digest != run.dataset_digest or not np.array_equal(first.labels, run.labels):
        return "different test data"
    return "" if len(run.labels) else "no test examples"


def _judged(row: Row, p_holm: float) -> Row:
    better = row.difference is not None and row.difference > 0
    verdict = "not distinguishable" if p_holm >= ALPHA else "better" if better else "worse"
    return replace(row, p_holm=p_holm, verdict=verdict)


def _json(row: Row) -> dict[str, Any]:
    return {
        "run": row.name,
        "dataset_digest": row.dataset_digest,
        "n": row.n,
        "accuracy": row.accuracy,
        "accuracy_ci95": list(row.interval) if row.interval else None,
        "difference": row.difference,
        "difference_ci95": list(row.difference_interval) if row.difference_interval else None,
        "n01": row.n01,
        "n10": row.n10,
        "mcnemar_p": row.p,
        "mcnemar_p_holm": row.p_holm,
        "verdict": row.verdict,
    }


def _cells(row: Row) -> list[str]:
    accuracy = "–" if row.accuracy is None else f"{100 * row.accuracy:.2f} %"
    interval = "–" if row.interval is None else "{:.2f} % to {:.2f} %".format(*(100 * edge for edge in row.interval))
    difference = "–" if row.difference is None else f"{100 * row.difference:+.2f}"
    around = row.difference_interval
    pair = "–" if around is None else f"{100 * around[0]:+.2f} to {100 * around[1]:+.2f}"
    p = "–" if row.p_holm is None else f"{row.p_holm:.2g}" if row.p_holm >= _SMALLEST_P else f"< {_SMALLEST_P:g}"
    return [row.name, row.dataset_digest[:12], f"{row.n:,}", accuracy, interval, difference, pair, p, row.verdict]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
