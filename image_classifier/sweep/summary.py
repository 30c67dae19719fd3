"""What a person wants to know of a sweep, as Markdown: the best setting, every run, what failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from image_classifier.evaluation.intervals import Interval
from image_classifier.evaluation.markdown import escaped, percent, table
from image_classifier.settings.config import spelled
from image_classifier.sweep import ranking
from image_classifier.sweep.ranking import Group, Mean, Scored

_TO_THE_RIGHT = "---:"
_NO_CELLS = ("–", "–")
_COVERED = {
    ("seed",): "the luck of initialisation, order and augmentation, on the same examples",
    ("split_seed",): "the luck of the split",
    ("seed", "split_seed"): "the luck of the split, over each of which the seeds are averaged",
}


@dataclass(frozen=True)
class Failed:
    """One run that could not be finished: why, and what to do about it."""

    name: str
    what: str
    hint: str


@dataclass(frozen=True)
class Results:
    """What a sweep came to, as its `sweep.json` has it."""

    name: str
    axes: Mapping[str, Sequence[Any]]
    scored: Sequence[Scored]
    failed: Sequence[Failed]


def headline(results: Results) -> str:
    """How many runs there are, and the best setting, without markup."""
    count = f"{len(results.scored)} of {len(results.scored) + len(results.failed)} runs are finished."
    groups = ranking.groups(results.scored, results.axes)
    if not groups or groups[0].validation is None:
        return count + (" Nothing was validated, so none is called the best." if groups else "")
    return f"{count} Best by validation: {_best(groups[0], results)}"


def _best(group: Group, results: Results) -> str:
    what = ", ".join(f"{name} {spelled(value)}" for name, value in group.values.items()) or "the one setting there is"
    first = group.runs[0]
    if len(group.runs) > 1 and group.validation:
        seeds = " and ".join(ranking.repeated(results.axes))
        return (
            f"{what}, right on {_mean(group.validation)} of the validation examples and {_mean(group.test)} of the "
            f"test examples (means of {len(group.runs)} runs over {seeds})."
        )
    return (
        f"{what} ({first.name}), right on {percent(first.validation or 0)} of {first.metrics['val']['n']:,} validation "
        f"examples and {percent(first.test)} of {first.metrics['n']:,} test examples."
    )


def markdown(results: Results) -> str:
    """The summary of a whole sweep."""
    tried = ", ".join(f"{escaped(name)} ({len(values)})" for name, values in results.axes.items())
    parts = [f"## {escaped(results.name)}", escaped(headline(results)), f"Settings tried (number of values): {tried}."]
    if results.scored and ranking.repeated(results.axes):
        parts += ["### Settings, best first", _groups(results)]
    if results.scored:
        parts += ["### Runs, best first", _runs(results)]
    if results.failed:
        rows = [(escaped(each.name), escaped(each.what), escaped(each.hint)) for each in results.failed]
        parts += ["### Failed", table(("run", "why", "what to do"), rows)]
    if results.scored:
        parts.append("\n".join(f"- {note}" for note in _notes(results)))
    return "\n\n".join(parts) + "\n"


def _groups(results: Results) -> str:
    names = [name for name in results.axes if name not in ranking.repeated(results.axes)]
    head = [*map(escaped, names), "runs", "validation", "95 % interval", "test", "95 % interval"]
    rows = []
    for group in ranking.groups(results.scored, results.axes):
        values = [escaped(spelled(group.values[name])) for name in names]
        means = [_cells(mean.value, mean.interval) if mean else _NO_CELLS for mean in (group.validation, group.test)]
        rows.append([*values, str(len(group.runs)), *means[0], *means[1]])
    return table(head, rows, ["---"] * len(names) + [_TO_THE_RIGHT] * 5)


def _runs(results: Results) -> str:
    head = ["run", *map(escaped, results.axes), "validation", "95 % interval", "test", "95 % interval"]
    rows = []
    for run in ranking.ranked(results.scored):
        values = [escaped(spelled(run.values[name])) for name in results.axes]
        splits = (run.metrics["val"], run.metrics)
        shares = [_cells(each["accuracy"], each["accuracy_ci95"]) if each else _NO_CELLS for each in splits]
        rows.append([escaped(run.name), *values, *shares[0], *shares[1]])
    return table(head, rows, ["---"] * (1 + len(results.axes)) + [_TO_THE_RIGHT] * 4)


def _cells(share: float, interval: Interval | Sequence[float] | None) -> tuple[str, str]:
    return percent(share), f"{percent(interval[0])} to {percent(interval[1])}" if interval else "–"


def _mean(mean: Mean) -> str:
    if mean.interval is None:
        return percent(mean.value)
    return f"{percent(mean.value)} (95 % interval {percent(mean.interval[0])} to {percent(mean.interval[1])})"


def _notes(results: Results) -> list[str]:
    notes = []
    if ranking.validated(results.scored):
        notes.append(
            "Order and choice are by validation accuracy, at a tie by validation loss; test decides nothing. The best "
            "of many validation accuracies is a little too good: its test accuracy is the honest figure."
        )
    notes.append("The interval of a run (Wilson) covers which examples it was measured on, not which seed it had.")
    if ranking.repeated(results.axes):
        notes.append(_about_repeats(results))
    return notes


def _about_repeats(results: Results) -> str:
    seeds = ranking.repeated(results.axes)
    shared = " Splits share most of their examples, so it is somewhat too narrow." if "split_seed" in seeds else ""
    alike = " Where all runs agree it has no width, which says no more than that."
    return f"The interval of a mean (Student's t) covers {_COVERED[seeds]}.{shared}{alike}"
