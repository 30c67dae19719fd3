"""What is kept of a sweep beside its runs: `sweep.json`, and the table and the pictures that are made from it."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier import files, runs, schema
from image_classifier.errors import UserError
from image_classifier.settings.config import spelled
from image_classifier.sweep import ranking
from image_classifier.sweep import summary as sweep_summary
from image_classifier.sweep.content import Content
from image_classifier.sweep.naming import child_name
from image_classifier.sweep.ranking import Scored
from image_classifier.sweep.summary import Failed, Results
from image_classifier.tracking.entries import Entry

SWEEP_RECORD = "sweep.json"
TABLE, SUMMARY, EFFECTS, PARALLEL = "sweep.csv", "sweep.md", "sweep_settings.png", "sweep_parallel.png"
METRICS = "sweep_metrics.json"
SWEEP_FILES = (TABLE, SUMMARY, METRICS, EFFECTS, PARALLEL)

_ACCURACY = ("accuracy", "accuracy_ci95_low", "accuracy_ci95_high")
_LONGEST_TAG = 5000
_FIGURES = ("accuracy", "loss", "macro_f1", "ece")


@dataclass(frozen=True)
class Sweep:
    """A sweep's folder and the content of its `sweep.json`."""

    folder: Path
    record: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.folder.name

    @property
    def finished(self) -> bool:
        """Whether every run was tried and the table is written."""
        return bool(self.record["status"] == runs.FINISHED)

    @property
    def results(self) -> Results:
        """Its runs in the order of the grid, as a summary and pictures want them."""
        done = [each for each in self.record["children"] if each["metrics"]]
        scored = [Scored(each["name"], each["settings"], each["metrics"]) for each in done]
        failed = [Failed(each["name"], each["what"], each["hint"]) for each in self.record["failures"]]
        return Results(self.name, self.record["asked"]["grid"], scored, failed)

    @property
    def best(self) -> Scored | None:
        """The best run of the best setting, by validation."""
        return ranking.best(self.results.scored, self.results.axes)


def exists(folder: Path) -> bool:
    """Whether the folder holds a sweep."""
    return (folder / SWEEP_RECORD).is_file()


def read(folder: Path) -> Sweep:
    """The sweep in a folder."""
    record = files.read_json(folder / SWEEP_RECORD)
    schema.check(record, Content, folder / SWEEP_RECORD, _MOVE_AWAY)
    grid = set(record["asked"]["grid"])
    if any(set(each["settings"]) != grid for each in record["children"]):
        raise UserError(f"{folder / SWEEP_RECORD} is not as it was written: a run has no value of its grid", _MOVE_AWAY)
    return Sweep(folder, record)


_MOVE_AWAY = "move it away, and give the sweep again"


def find(name: str, experiments_folder: Path) -> Sweep | None:
    """The finished sweep that a folder's path or an experiment's name names; None where there is none."""
    folder = next((path for path in (Path(name), experiments_folder / name) if exists(path)), None)
    if folder is None:
        return None
    found = read(folder.resolve())
    if not found.finished:
        raise UserError(f"the sweep {found.name} is not finished", "the same command as before goes on with it")
    return found


def write(sweep: Sweep) -> None:
    """Write `sweep.json`."""
    files.write_json(sweep.folder / SWEEP_RECORD, dict(sweep.record))


def entry(
    child: str, values: Mapping[str, Any], folder: Path, failure: str | None
) -> tuple[dict[str, Any], str | None]:
    """What `sweep.json` says of one run, its figures if it is finished; and why it has none."""
    said: dict[str, Any] = {"name": child, "status": "failed", "settings": dict(values)}
    nothing: dict[str, Any] = {"seconds": None, "metrics": None}
    if failure:
        return said | nothing, failure
    try:
        done = runs.read(folder)
        metrics = {name: value for name, value in done.metrics().items() if name != "per_class"}
    except UserError as error:  # somebody has been at its files
        return said | nothing, error.what
    seconds = done.record["timing"]["last_process_seconds"]
    return said | {"status": runs.FINISHED, "seconds": seconds, "metrics": metrics}, None


def tracked(sweep: Sweep, tags: Mapping[str, str]) -> Entry:
    """The sweep as a tracking server gets it: the entry that its runs are shown under."""
    record = sweep.record
    # As tags and not as params: a grid that has grown changes them, and params cannot be changed.
    tried = {name: ", ".join(map(spelled, values)) for name, values in sweep.results.axes.items()}
    written = [sweep.folder / name for name in (SWEEP_RECORD, *SWEEP_FILES)]
    return Entry(
        experiment=sweep.name,
        name=f"sweep {sweep.name}",
        key=str(record["tracking"]["key"]),
        finished=sweep.finished,
        metrics=_counts(sweep) if sweep.finished else {},
        tags={**tags, **{f"grid.{name}": text[:_LONGEST_TAG] for name, text in tried.items()}},
        files=[path for path in written if path.is_file()] if sweep.finished else (),
        started=record["started"],
        ended=record["finished"],
    )


def _counts(sweep: Sweep) -> dict[str, float]:
    counts = {"finished_runs": float(len(sweep.results.scored)), "failed_runs": float(len(sweep.results.failed))}
    best = sweep.best
    if best and best.validation is not None:
        counts |= {"best_validation_accuracy": best.validation, "best_accuracy": best.test}
    return counts


def write_results(sweep: Sweep) -> None:
    """Write table, summary and pictures from what `sweep.json` says, and from nothing else."""
    results = sweep.results
    files.write_text(sweep.folder / TABLE, _csv(sweep))
    files.write_text(sweep.folder / SUMMARY, sweep_summary.markdown(results))
    files.write_json(sweep.folder / METRICS, _metrics(results))
    for name in (EFFECTS, PARALLEL):
        files.remove(sweep.folder / name)  # those of an earlier grid, if nothing is finished now
    if not results.scored:
        return
    from image_classifier.visualization import plot  # noqa: PLC0415  (matplotlib, which takes longer than to read it)

    measured = "validation accuracy" if ranking.validated(results.scored) else "test accuracy"
    effects = {axis: ranking.effects(results.scored, axis, values) for axis, values in results.axes.items()}
    panels = [
        plot.Panel(axis, [plot.Level(value, shares, mean.value, mean.interval) for value, shares, mean in found])
        for axis, found in effects.items()
    ]
    files.write_bytes(sweep.folder / EFFECTS, plot.png(plot.effects_figure(panels, measured, sweep.name)))
    lines = [plot.Line(run.values, _measured(run, measured)) for run in results.scored]
    files.write_bytes(
        sweep.folder / PARALLEL, plot.png(plot.parallel_figure(results.axes, lines, measured, sweep.name))
    )


def _metrics(results: Results) -> dict[str, Any]:
    """Per setting, seeds aside, the accuracies with their intervals: what DVC compares between two versions."""
    figures: dict[str, Any] = {}
    for group in ranking.groups(results.scored, results.axes):
        of: dict[str, Any] = {"runs": len(group.runs)}
        for name, found in (("accuracy", group.test), ("validation_accuracy", group.validation)):
            of |= {name: found and found.value, f"{name}_ci95": found and found.interval}
        if len(group.runs) == 1:
            metrics = group.runs[0].metrics
            of["accuracy_ci95"] = metrics["accuracy_ci95"]
            of["validation_accuracy_ci95"] = metrics["val"] and metrics["val"]["accuracy_ci95"]
        figures[child_name(group.values) or "all"] = of
    return dict(sorted(figures.items()))


def _measured(run: Scored, measured: str) -> float:
    return run.validation if measured.startswith("validation") and run.validation is not None else run.test


def _csv(sweep: Sweep) -> str:
    """One row per run in the order of the grid; empty where there is no value."""
    stream = io.StringIO()
    axes = list(sweep.record["asked"]["grid"])
    measures = [f"{split}{name}" for split in ("validation_", "") for name in _ACCURACY]
    rest = ["n", "validation_n", "loss", "validation_loss", "best_epoch", "macro_f1", "ece", "seconds", "error"]
    writer = csv.DictWriter(stream, ["run", "status", *axes, *measures, *rest], lineterminator="\n")
    writer.writeheader()
    why = {each["name"]: each["what"] for each in sweep.record["failures"]}
    for child in sweep.record["children"]:
        row = {"run": child["name"], "status": child["status"], "seconds": child["seconds"]}
        row |= {name: spelled(value) for name, value in child["settings"].items()}
        writer.writerow({**row, "error": why.get(child["name"]), **_figures(child["metrics"])})
    return stream.getvalue()


def _figures(metrics: Mapping[str, Any] | None) -> dict[str, Any]:
    if metrics is None:
        return {}
    found = {"n": metrics["n"]} | {name: metrics[name] for name in _FIGURES}
    found["accuracy_ci95_low"], found["accuracy_ci95_high"] = metrics["accuracy_ci95"]
    val = metrics["val"]
    if val:
        found |= {f"validation_{name}": val[name] for name in ("n", "accuracy", "loss")}
        found["validation_accuracy_ci95_low"], found["validation_accuracy_ci95_high"] = val["accuracy_ci95"]
        found["best_epoch"] = val["best_epoch"]
    return found
