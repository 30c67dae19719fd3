"""Frequent error sets: groups of test examples, told by what they have in common, that are wrong more than by chance.

What is listed is found among all test examples. Beside that, each random half of them looks for itself, and what it
finds is confirmed on the other half, which had no part in the finding.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from image_classifier import randomness
from image_classifier.evaluation.intervals import wilson
from image_classifier.evaluation.items import Items
from image_classifier.evaluation.itemsets import Bits, ItemSets, Marks, counted, frequent, packed
from image_classifier.evaluation.metrics import Predictions
from image_classifier.evaluation.significance import PValues, below_false_discovery, holm, more_than_chance

LEVEL = 0.05
MOST_SETS = 100
_LEAST_EXAMPLES = 50
_LEAST_SHARE = 0.005
_MOST_EXAMPLES = 20  # whose numbers are listed for a set


@dataclass(frozen=True, eq=False)
class _Part:
    """Examples among which sets are looked for; for each frequent set how many it has and how many are wrong."""

    marks: Marks
    sizes: npt.NDArray[np.int64]
    errors: npt.NDArray[np.int64]
    p_values: PValues

    @property
    def failing(self) -> Marks:
        """Which sets are wrong too often to be chance, though so many were looked at."""
        return below_false_discovery(self.p_values, LEVEL)


def mined(items: Items, test: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """The frequent error sets of a model's answers, least likely by chance first, as `error_sets.json` holds them."""
    wrong = test.predicted != test.labels
    items = _telling(items)
    least = max(_LEAST_EXAMPLES, math.ceil(_LEAST_SHARE * len(wrong)))
    sets, everything, halves = _counted(items.marks, wrong, least)
    found = np.flatnonzero(everything.failing)
    lengths = np.array([len(each) for each in sets.sets], np.int64)[found]
    rates = everything.errors[found] / everything.sizes[found]
    ranked = found[np.lexsort((lengths, -rates, everything.p_values[found]))]
    chosen = [
        int(ranked[index]) for index in _worth_telling([sets.sets[index] for index in ranked], items.marks, wrong)
    ]
    extents = [np.asarray(items.marks[list(sets.sets[index])].all(axis=0)) for index in chosen]
    confirmed = _confirmed(chosen, halves)
    rows = [
        {
            "support": float(extent.mean()),
            "itemsets": [items.items[item].key for item in sets.sets[index]],
            "pattern_length": len(sets.sets[index]),
            "itemsets_desc": ", ".join(items.items[item].words for item in sets.sets[index]),
            **_figures(extent, test, classes),
            "p_value": float(everything.p_values[index]),
            **again,
            "examples": _examples(test, extent & wrong),
        }
        for index, extent, again in zip(chosen, extents, confirmed, strict=True)
    ]
    return {
        **_figures_of_all(wrong),
        "least_examples": least,
        "longest": sets.longest,
        "nb_tested": len(sets.sets),
        "nb_freq_sets": len(rows),
        "max_support_value": max((row["support"] for row in rows), default=0.0),
        "false_discovery_rate": LEVEL,
        "edges": dict(items.edges),
        "sets": rows,
    }


def _telling(items: Items) -> Items:
    """Without the items that all examples have: with them every set would be there twice."""
    some = np.flatnonzero(~items.marks.all(axis=1))
    return Items([items.items[int(index)] for index in some], items.marks[some], items.edges)


def headline(report: Mapping[str, Any]) -> str:
    """What was found, in a line."""
    if report["errors"] == 0:
        return "none, all test examples are right"
    if report["nb_tested"] == 0:
        return f"none: no group of {report['least_examples']} or more has anything in common"
    if not report["sets"]:
        tested = f"{report['nb_tested']:,} groups of {report['least_examples']} or more looked at"
        return f"none: no group is wrong more often than chance allows ({tested})"
    first = report["sets"][0]
    return f"{report['nb_freq_sets']}, first {first['itemsets_desc']}: {first['errors']} of {first['n']} wrong"


def lines(report: Mapping[str, Any]) -> list[str]:
    """Each set in a line, for people."""
    return [
        f"{rank:3} {each['errors']:5} of {each['n']:5} wrong, {_rate(each)}, "
        f"p {each['p_value']:.1g}, {'confirmed' if each['confirmed'] else 'not confirmed'}: {each['itemsets_desc']}"
        for rank, each in enumerate(report["sets"], 1)
    ]


def _rate(each: Mapping[str, Any]) -> str:
    low, high = each["error_rate_ci95"]
    return f"{100 * each['error_rate']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _counted(marks: Marks, wrong: Marks, least: int) -> tuple[ItemSets, _Part, tuple[_Part, _Part]]:
    """The frequent sets, and what they hold among all examples and in each half."""
    first = np.zeros(len(wrong), bool)
    # Drawn without a look at classes or answers; the same half for every model.
    first[randomness.order(randomness.key(0, "error sets"), len(wrong))[: -(-len(wrong) // 2)]] = True
    among = (np.ones_like(first), first, ~first)
    sets = frequent(marks, least, [mask for part in among for mask in (part, part & wrong)])
    parts = []
    for position, part in enumerate(among):
        sizes, errors = sets.counts[:, 1 + 2 * position], sets.counts[:, 2 + 2 * position]
        chances = more_than_chance(errors, sizes, int((part & wrong).sum()), int(part.sum()))
        parts.append(_Part(part, sizes, errors, chances))
    return sets, parts[0], (parts[1], parts[2])


def _worth_telling(sets: Sequence[tuple[int, ...]], marks: Marks, wrong: Marks) -> list[int]:
    """Which of the sets are left when those are dropped that only say again what one before them says."""
    items, errors, left = packed(marks), packed(wrong), np.arange(len(sets))
    rows = np.array([np.bitwise_and.reduce(items[list(each)]) for each in sets], np.uint64)
    kept: list[int] = []
    everything = packed(np.ones_like(wrong))
    while len(left) and len(kept) < MOST_SETS:
        known, left = left[0], left[1:]
        kept.append(int(known))
        left = left[_adding(rows[left], rows[known], errors, everything)]
    return kept


def _adding(rows: Bits, known: Bits, errors: Bits, everything: Bits) -> Marks:
    """Which sets say more than the known one.

    Those that lie in it must be wrong more often than it is, the others wrong too often without its examples.
    """
    adding = np.zeros(len(rows), bool)
    inside = counted(rows & ~known) == 0
    for which, among in ((inside, known), (~inside, everything & ~known)):
        part = rows[which] & among
        total, wrong = int(counted(among)), int(counted(among & errors))
        chances = more_than_chance(counted(part & errors), counted(part), wrong, total)
        adding[which] = below_false_discovery(chances, LEVEL)
    return adding


def _confirmed(chosen: Sequence[int], halves: tuple[_Part, _Part]) -> list[dict[str, Any]]:
    """For each set its figures in the half that had no part in finding it; without figures where neither found it."""
    failing = [half.failing for half in halves]
    held = [halves[1] if failing[0][index] else halves[0] if failing[1][index] else None for index in chosen]
    found = [(index, half) for index, half in zip(chosen, held, strict=True) if half is not None]
    chances = iter(holm([float(half.p_values[index]) for index, half in found]))
    return [_held_out(index, half, next(chances) if half else None) for index, half in zip(chosen, held, strict=True)]


def _held_out(index: int, half: _Part | None, chance: float | None) -> dict[str, Any]:
    n, errors = (int(half.sizes[index]), int(half.errors[index])) if half else (None, None)
    return {
        "held_out_n": n,
        "held_out_errors": errors,
        "held_out_error_rate": errors / n if n and errors is not None else None,
        "held_out_ci95": wilson(errors, n) if n and errors is not None else None,
        "held_out_p_value": chance,
        "confirmed": chance is not None and chance <= LEVEL,
    }


def _figures_of_all(wrong: Marks) -> dict[str, Any]:
    n, errors = len(wrong), int(wrong.sum())
    return {
        "split": "test", "n": n, "errors": errors, "error_rate": errors / n, "error_rate_ci95": wilson(errors, n),
    }  # fmt: skip


def _figures(members: Marks, test: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """How often a set's examples are wrong, what part of all errors that is, and what they are mostly taken for."""
    wrong = test.predicted != test.labels
    n, errors = int(members.sum()), int((members & wrong).sum())
    answers = np.bincount(test.predicted[members & wrong], minlength=len(classes))
    return {
        "n": n,
        "errors": errors,
        "error_rate": errors / n,
        "error_rate_ci95": wilson(errors, n),
        "share_of_errors": errors / int(wrong.sum()),
        "wrong_class": classes[int(answers.argmax())],
        "wrong_class_n": int(answers.max()),
    }


def _examples(test: Predictions, wrong: Marks) -> list[int]:
    """Numbers in the test split of examples that are wrong, the surest answers first."""
    numbers = np.flatnonzero(wrong)
    surest = np.argsort(-test.probabilities[numbers].max(axis=1), kind="stable")
    return [int(number) for number in numbers[surest][:_MOST_EXAMPLES]]
