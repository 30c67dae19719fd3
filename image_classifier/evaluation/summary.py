"""What a person wants to know of a run, as Markdown: figures, the parent, the worst classes, what was asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from image_classifier.evaluation import error_sets
from image_classifier.evaluation.comparison import Comparison
from image_classifier.evaluation.markdown import escaped, line, percent, table
from image_classifier.evaluation.metrics import Predictions

_WORST = 5
_MOST_SETS = 5


@dataclass(frozen=True, eq=False)
class Summarised:
    """One run as its files tell it; `asked` are the settings that somebody chose, with where they were chosen."""

    name: str
    metrics: Mapping[str, Any]
    test: Predictions
    facts: Mapping[str, str]
    asked: Mapping[str, str]
    against: Comparison | None = None
    error_sets: Mapping[str, Any] | None = None  # as in error_sets.json


def markdown(run: Summarised) -> str:
    """The summary; names that come from data are shown as they are and never as markup."""
    parts = [
        f"## {escaped(run.name)}",
        _headline(run.metrics),
        _figures(run.metrics),
        *_against(run.against),
        *_worst(run.metrics["per_class"], run.test),
        *_error_sets(run.error_sets),
        *_pairs("The run", ("", ""), run.facts),
        *_pairs("What was chosen", ("setting", "value"), run.asked),
    ]
    return "\n\n".join(parts) + "\n"


def _headline(metrics: Mapping[str, Any]) -> str:
    low, high = metrics["accuracy_ci95"]
    return (
        f"**{percent(metrics['accuracy'])}** of {metrics['n']:,} test examples are classified right "
        f"(95 % interval {percent(low)} to {percent(high)})."
    )


def _figures(metrics: Mapping[str, Any]) -> str:
    val = metrics["val"]
    rows = [("", "test", "validation"), ("---", "---:", "---:")]
    rows.append(("examples", f"{metrics['n']:,}", f"{val['n']:,}" if val else "–"))
    rows.append(("accuracy", _share(metrics), _share(val) if val else "–"))
    rows.append(("loss", f"{metrics['loss']:.4f}", f"{val['loss']:.4f}" if val else "–"))
    rows.append(("macro F1", f"{metrics['macro_f1']:.4f}", ""))
    rows.append(("calibration error", f"{metrics['ece']:.4f}", ""))
    if val:
        rows.append(("best epoch", "", str(val["best_epoch"])))
    return "\n".join(line(row) for row in rows)


def _against(comparison: Comparison | None) -> list[str]:
    if comparison is None:
        return []
    parent, run = comparison.rows
    if run.p is None:
        verdict = f"The parent {escaped(parent.name)} is {escaped(run.verdict)}."
    elif run.verdict == "not distinguishable":
        verdict = f"Not distinguishable from its parent {escaped(parent.name)} on this test data."
    else:
        verdict = f"**{run.verdict.capitalize()}** than its parent {escaped(parent.name)}."
    return ["### Against the parent", verdict, comparison.to_markdown().rstrip()]


def _worst(per_class: Mapping[str, Mapping[str, Any]], test: Predictions) -> list[str]:
    classes = list(per_class)
    accuracy = {name: figures["accuracy"] for name, figures in per_class.items() if figures["n"]}
    wrong = sorted((name for name in accuracy if accuracy[name] < 1), key=accuracy.__getitem__)
    if not wrong:
        return ["### Worst classes", f"None: all {len(accuracy)} classes are without an error."]
    lines = [line(("class", "examples", "accuracy", "95 % interval", "most often taken for")), line(["---"] * 5)]
    for name in wrong[:_WORST]:
        figures, own = per_class[name], classes.index(name)
        low, high = map(percent, figures["ci95"])
        # One row of the confusion matrix: that of 10,000 classes would take a gigabyte.
        row = np.bincount(test.predicted[test.labels == own], minlength=len(classes))
        taken_for = _taken_for(row, own, classes)
        lines.append(line((escaped(name), f"{figures['n']:,}", percent(accuracy[name]), f"{low} to {high}", taken_for)))
    return ["### Worst classes", "\n".join(lines)]


def _error_sets(report: Mapping[str, Any] | None) -> list[str]:
    if report is None:
        return []
    title = "### Frequent error sets"
    if not report["sets"]:
        return [title, f"{error_sets.headline(report).capitalize()}."]
    head = (
        "examples with",
        "wrong",
        "error rate",
        "95 % interval",
        "most often taken for",
        "share of all errors",
        "held-out half",
    )
    lines = [line(head), line(["---"] * len(head))]
    for each in report["sets"][:_MOST_SETS]:
        low, high = map(percent, each["error_rate_ci95"])
        lines.append(
            line((
                escaped(each["itemsets_desc"]), f"{each['errors']:,} of {each['n']:,}", percent(each["error_rate"]),
                f"{low} to {high}", f"{escaped(each['wrong_class'])} ({each['wrong_class_n']:,})",
                percent(each["share_of_errors"]), "confirmed" if each["confirmed"] else "not confirmed",
            ))
        )  # fmt: skip
    more = report["nb_freq_sets"] - len(report["sets"][:_MOST_SETS])
    says = f"{more} more stand in error_sets.csv. " if more else ""
    return [title, "\n".join(lines), f"{says}error_sets.png shows examples of them."]


def _taken_for(row: npt.NDArray[np.int64], own: int, classes: Sequence[str]) -> str:
    others = row.copy()
    others[own] = 0
    most = int(others.argmax())
    return f"{escaped(classes[most])} ({others[most]:,})"


def _pairs(title: str, head: Sequence[str], rows: Mapping[str, str]) -> list[str]:
    return [f"### {title}", table(head, [(name, escaped(value)) for name, value in rows.items()])] if rows else []


def _share(figures: Mapping[str, Any]) -> str:
    low, high = figures["accuracy_ci95"]
    return f"{percent(figures['accuracy'])} ({percent(low)} to {percent(high)})"
