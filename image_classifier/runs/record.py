"""A run folder and its record, `run.json`: read with a check of all that the program relies on, and written."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from image_classifier import files, schema
from image_classifier.data.tables import Column, columns_from
from image_classifier.errors import UserError
from image_classifier.runs import formats
from image_classifier.runs.content import Begun, Finished, RuntimeRecord
from image_classifier.settings.config import FIELDS, Config
from image_classifier.settings.families import family, is_model
from image_classifier.settings.inputs import Fitting, fitting_in
from image_classifier.settings.layers import Kind, Origin
from image_classifier.settings.names import DATA_CARD, ERROR_SETS, METRICS, RECORD

FINISHED = "finished"
UNFINISHED = "unfinished"
# What a finished run consists of, its model and run.json aside.
RESULTS = (
    "metrics.png", METRICS, "training_history.csv", "training_history.png",
    "confusion_matrix.png", "predictions.npz",
)  # fmt: skip
# What `train` and `mine` write beside them; a run of an earlier version has none.
MINED = (ERROR_SETS, "error_sets.csv", "error_sets.png")


@dataclass(frozen=True)
class Run:
    """A run folder and the content of its `run.json`."""

    folder: Path
    record: Mapping[str, Any]

    @property
    def name(self) -> str:
        """`experiment/run`."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def finished(self) -> bool:
        """Whether every result is written."""
        return bool(self.record["status"] == FINISHED)

    @property
    def config(self) -> Config:
        """The settings it was trained with."""
        try:
            config = Config(**self.record["config"])
        except (TypeError, UserError) as error:
            raise UserError(
                f"{self.name} was trained by another version: {error.what if isinstance(error, UserError) else error}",
                "use the version in its run.json, or train again",
            ) from error
        settled = self.card["settings"]
        other = next((name for name in FIELDS if name in settled and getattr(config, name) != settled[name]), None)
        if other:
            raise UserError(f"{self.path(RECORD)} has two values of {other}", _RESTORE)
        return config

    @property
    def origins(self) -> Mapping[str, Origin]:
        """Where each setting came from."""
        return {name: Origin(Kind(each["kind"]), each["name"]) for name, each in self.record["origins"].items()}

    @property
    def card(self) -> Mapping[str, Any]:
        """What can change a number of this run (`content.Card`)."""
        return dict(self.record["card"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the model's outputs."""
        return tuple(self.card["classes"])

    @property
    def columns(self) -> tuple[Column, ...] | None:
        """What a model of tables reads of a row; None for a model of images."""
        described = self.card["input"].get("columns")
        return None if described is None else columns_from(described)

    @property
    def fitting(self) -> Fitting:
        """How its images became squares."""
        return fitting_in(self.card["input"])

    @property
    def noun(self) -> str:
        """What its examples are called."""
        return "images" if self.columns is None else "rows"

    def path(self, name: str) -> Path:
        """Where a file of this run stands."""
        return self.folder / name

    @property
    def model_file(self) -> str:
        """The name of the file with its model."""
        return family(self.record["config"]["model"]).model_file

    def metrics(self) -> dict[str, Any]:
        """The content of `metrics.json` (`formats.Metrics`)."""
        return formats.read_metrics(self.path(METRICS), self.classes, self._again)

    def history(self) -> list[dict[str, float | None]]:
        """The rows of `training_history.csv` (`formats.Epoch`); what a run does not have is `None`."""
        return formats.read_history(self.path("training_history.csv"))

    def predictions(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays of `predictions.npz`: labels and probabilities of test and val, and val's rows in its split."""
        return formats.read_npz(self.path("predictions.npz"), len(self.classes), self._again)

    def error_sets(self) -> dict[str, Any] | None:
        """The content of `error_sets.json` (`formats.ErrorSets`); None where nothing was mined yet."""
        if ERROR_SETS not in self.record.get("files", ()):
            return None
        return formats.read_error_sets(self.path(ERROR_SETS), f"image_classifier mine {self.folder} writes it again")

    @property
    def _again(self) -> str:
        return f"image_classifier evaluate {self.folder} writes it again"


_RESTORE = "restore the file, or train again"


def read(folder: Path) -> Run:
    """The run in a folder, with all in its record that the program relies on."""
    path = folder / RECORD
    record = files.read_json(path)
    finished = isinstance(record, dict) and record.get("status") == FINISHED
    schema.check(record, Finished if finished else Begun, path, f"give the folder of a run, or {_RESTORE}")
    wrong = next((text for text, good in _agreements(Run(folder, record)) if not good), None)
    if wrong:
        raise UserError(f"{path} is not as it was written: {wrong}", _RESTORE)
    return Run(folder, record)


def _agreements(run: Run) -> Iterator[tuple[str, bool]]:
    """What one part of a record says of another."""
    yield "config.model is none that this version knows", is_model(run.record["config"]["model"])
    classes, described = run.classes, run.card["input"]
    channels, columns = described["shape"][2], run.columns
    yield "card.classes has fewer than two names, or one twice", len(set(classes)) == len(classes) > 1
    yield "card.input has not one mean and std a channel", len(described["mean"]) == len(described["std"]) == channels
    yield (
        "card.runtime has what only another version knows",
        run.card["runtime"].keys() <= RuntimeRecord.__annotations__.keys(),
    )
    if columns is not None:
        numbers = sum(len(column.numbers) for column in columns)
        yield "card.input.columns are not its shape", described["shape"] == [1, 1, numbers]
    yield "origins names what is no setting of it", run.record["origins"].keys() <= run.record["config"].keys()
    if run.finished:
        yield "files lacks a result", {run.model_file, *RESULTS} <= run.record["files"].keys()


def new_key() -> str:
    """What says that a run, or a sweep, is the same one, wherever its folder goes."""
    return uuid.uuid4().hex


def write_record(run: Run) -> None:
    """Write `run.json`."""
    files.write_json(run.path(RECORD), dict(run.record))


def finish(run: Run) -> Run:
    """Hash every result into `run.json` and mark the run finished."""
    card = [DATA_CARD] if run.path(DATA_CARD).is_file() else []  # of data that nobody looked at there is none
    digests = {name: _digest(run.path(name)) for name in (run.model_file, *RESULTS, *MINED, *card)}
    done = Run(run.folder, {**run.record, "status": FINISHED, "files": digests})
    write_record(done)
    return done


def refresh(run: Run, names: Sequence[str]) -> Run:
    """Hash the named results again after a stage has rewritten them."""
    digests = dict(run.record["files"]) | {name: _digest(run.path(name)) for name in names}
    done = Run(run.folder, {**run.record, "files": digests})
    if done.record != run.record:
        write_record(done)
    return done


def _digest(path: Path) -> dict[str, Any]:
    return {"sha256": files.digest_file(path), "bytes": path.stat().st_size}
