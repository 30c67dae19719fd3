"""What is sent of a run folder or a sweep: plain values, without MLflow."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from image_classifier import masking, runs
from image_classifier.errors import UserError
from image_classifier.runs import Run

PARENT = "mlflow.parentRunId"

_HISTORY = {"loss": "train_loss", "acc": "train_acc", "val_loss": "val_loss", "val_acc": "val_acc", "lr": "lr"}
_RESERVED = ("dataset_digest", "commit", "model_sha256", "algorithm")
_TAG = re.compile(r"[A-Za-z0-9_. /:-]{1,250}")  # what MLflow takes as a name
_LONGEST_VALUE = 5000


@dataclass(frozen=True)
class Entry:
    """What is sent of one folder. `key` says what is the same entry when it is sent again."""

    experiment: str
    name: str
    key: str
    finished: bool
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()  # each row has its `epoch`
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[Path] = ()
    started: str | None = None  # as in run.json; None: when it is first sent
    ended: str | None = None


def tags(given: Sequence[str]) -> dict[str, str]:
    """The tags in `--tag K=V`, later ones winning; the addresses in them without what may be secret."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not _TAG.fullmatch(name):
            shown = masking.masked(text, whole=True)
            raise UserError(
                f"--tag {shown} is not a tag", "write --tag name=value; a name has letters, digits and _.-/:"
            )
        if name.startswith("mlflow.") or name in _RESERVED:
            raise UserError(f"--tag {name} is set by the program itself", "choose another name")
        if len(value) > _LONGEST_VALUE:
            raise UserError(f"the value of --tag {name} has {len(value)} letters", f"at most {_LONGEST_VALUE} are kept")
        found[name] = masking.masked(value)
    return found


def of_run(run: Run) -> Entry:
    """A run folder as an entry, finished or not."""
    record = run.record
    results = [run.path(name) for name in (*record.get("files", ()), runs.RECORD)]
    rows = run.history() if run.path("training_history.csv").is_file() else []
    return Entry(
        experiment=run.folder.parent.name,
        name=run.folder.name,
        key=str(record["tracking"]["key"]),
        finished=run.finished,
        params={**record["config"], "dataset_folder": record["dataset_folder"], "classifier": run.config.model},
        metrics=_figures(run) if run.finished else {},
        history=[_row(row) for row in rows],
        tags=_tags(run),
        files=results if run.finished else (),
        started=record["timing"]["started"],
        ended=record["timing"].get("finished"),
    )


def _row(row: Mapping[str, float | None]) -> dict[str, float]:
    named = {"epoch": row["epoch"]} | {name: row[column] for column, name in _HISTORY.items()}
    return {name: value for name, value in named.items() if value is not None}


def _figures(run: Run) -> dict[str, float]:
    test = run.metrics()
    val = test["val"] or {}
    figures = {name: test[name] for name in ("accuracy", "loss", "macro_f1", "ece")} | _interval("accuracy", test)
    figures |= {f"validation_{name}": val[name] for name in ("accuracy", "loss") if name in val}
    if val:
        figures |= _interval("validation_accuracy", val) | {"best_epoch": val["best_epoch"]}
    found = run.error_sets() or {}
    figures |= {name: found[name] for name in ("nb_freq_sets", "max_support_value") if name in found}
    figures["training_seconds"] = run.record["timing"]["training_seconds"]
    return {name: float(value) for name, value in figures.items() if value is not None}


def _interval(name: str, figures: Mapping[str, Any]) -> dict[str, float]:
    low, high = figures["accuracy_ci95"]
    return {f"{name}_ci95_low": low, f"{name}_ci95_high": high}


def _tags(run: Run) -> dict[str, str]:
    record = run.record
    commit, command = (record["provenance"].get(name) for name in ("commit", "command"))
    found = {
        **{name: masking.masked(str(value)) for name, value in record.get("tags", {}).items()},
        "dataset_digest": run.card["dataset_digest"],
        "algorithm": str(run.config.model),
        "model_sha256": record.get("files", {}).get(run.model_file, {}).get("sha256"),
        "commit": commit,
        "mlflow.source.git.commit": commit,
        "mlflow.source.name": command and masking.masked(command),  # an earlier version kept more of an address
        PARENT: record["tracking"].get("parent"),
    }
    return {name: str(value) for name, value in found.items() if value is not None}
