"""The run folder: its name, its files, its life from the first line of `run.json` to the last digest."""

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from image_classifier import files, results
from image_classifier.config import CLASSICAL, Config, suggestion
from image_classifier.data.tables import Column, columns_from
from image_classifier.errors import UserError
from image_classifier.model import artifact, building, pretrained

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RECORD = "run.json"
FINISHED = "finished"
UNFINISHED = "unfinished"
# What a finished run consists of, its model and run.json aside.
RESULTS = (
    "metrics.png", "metrics.json", "training_history.csv", "training_history.png",
    "confusion_matrix.png", "predictions.npz",
)  # fmt: skip


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
            return Config(**self.record["config"])
        except TypeError as error:
            raise UserError(
                f"{self.name} was trained by another version: {error}",
                "use the version in its run.json, or train again",
            ) from error

    @property
    def card(self) -> Mapping[str, Any]:
        """What can change a number of this run."""
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
    def noun(self) -> str:
        """What its examples are called."""
        return "images" if self.columns is None else "rows"

    def path(self, name: str) -> Path:
        """Where a file of this run stands."""
        return self.folder / name

    @property
    def model_file(self) -> str:
        """The name of the file with its model."""
        return "model.skops" if self.config.model in CLASSICAL else "model.pth"

    def model(self, device: torch.device | str = "cpu") -> nn.Module:
        """The trained model in evaluation mode."""
        path = self.path(self.model_file)
        if self.model_file == "model.skops":
            from image_classifier.model import classical  # noqa: PLC0415  (scikit-learn takes a second to import)

            self._check_model(files.digest_bytes(artifact.read(path)))
            return classical.load(path, len(self.classes)).eval()
        found = artifact.load(path)
        self._check_model(found.sha256)
        height, width, channels = self.card["input"]["shape"]
        network = building.build(self.config, len(self.classes), (height, width, channels))
        pretrained.fill(network, found.tensors, str(path))
        return network.to(device).eval()

    def _check_model(self, found: str) -> None:
        if self.finished and found != self.record["files"][self.model_file]["sha256"]:
            raise UserError(
                f"{self.path(self.model_file)} is not the model that this run wrote", "restore it, or train again"
            )

    def metrics(self) -> dict[str, Any]:
        """The content of `metrics.json`."""
        return dict(files.read_json(self.path("metrics.json")))

    def history(self) -> list[dict[str, float | None]]:
        """The rows of `training_history.csv`; what a run does not have is `None`."""
        return results.read_history(self.path("training_history.csv"))

    def predictions(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays of `predictions.npz`: labels and probabilities of test and val, and val's rows in its split."""
        again = f"image_classifier evaluate {self.folder} writes it again"
        return results.read_npz(self.path("predictions.npz"), again)


_RESERVED = ("mlflow.db", "mlartifacts")  # what tracking keeps beside the experiments


def check_name(name: str, flag: str) -> None:
    """Refuse a name that is no plain folder name everywhere."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{flag} {name!r} is not a valid name",
            "use 1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit",
        )
    if name in _RESERVED:
        raise UserError(f"{flag} {name} is what tracking keeps its files under", "choose another name")


def locate(experiments_folder: Path, experiment_name: str, run_name: str) -> Path:
    """The folder of the named run, which need not exist; never one outside the experiments folder."""
    check_name(experiment_name, "--experiment_name")
    check_name(run_name, "--run_name")
    folder = experiments_folder / experiment_name / run_name
    try:
        inside = folder.resolve().is_relative_to(experiments_folder.resolve())
    except (OSError, RuntimeError) as error:
        raise UserError(f"{folder} cannot be reached: {error}", "remove the link, or choose another name") from error
    if not inside:
        raise UserError(
            f"{folder} leads out of {experiments_folder} through a link", "remove the link, or choose another name"
        )
    return folder


def find(run: str, experiments_folder: Path) -> Run:
    """The finished run that RUN names: a folder's path, or `experiment/run` under the experiments folder."""
    candidates = [Path(run), experiments_folder / run]
    folder = next((path for path in candidates if (path / RECORD).is_file()), None)
    if folder is None:
        near = [f"{other.folder.parent.name}/{other.folder.name}" for other in listing(experiments_folder)]
        hint = suggestion(run, near) or f"give a run's folder, or experiment/run under {experiments_folder}"
        raise UserError(f"{run} is not a run", hint)
    found = read(folder.resolve())
    if not found.finished:
        raise UserError(
            f"{found.name} is not finished",
            f"--experiment_name {folder.parent.name} --run_name {folder.name} --resume goes on with it",
        )
    return found


def members(experiment: str, experiments_folder: Path) -> list[Run]:
    """The runs of the experiment that is named, by its folder or its name, all of them finished; none if there is none.

    A name that a run has too is that run's.
    """
    candidates = [Path(experiment), experiments_folder / experiment]
    if any((path / RECORD).is_file() for path in candidates):
        return []
    folder = next((path for path in candidates if any(path.glob(f"*/{RECORD}"))), None)
    names = sorted(path.parent.name for path in folder.glob(f"*/{RECORD}")) if folder else []
    return [find(str(folder.resolve() / name), experiments_folder) for name in names] if folder else []


def read(folder: Path) -> Run:
    """The run in a folder."""
    record = files.read_json(folder / RECORD)
    if (
        not isinstance(record, dict)
        or not {"status", "card", "config", "dataset_folder", "timing", "provenance"} <= record.keys()
    ):
        raise UserError(f"{folder / RECORD} is not the record of a run", "give the folder of a run")
    return Run(folder, record)


def exists(folder: Path) -> bool:
    """Whether the folder holds a run; one that holds something else is refused."""
    if (folder / RECORD).is_file():
        return True
    if folder.exists() and (not folder.is_dir() or any(path.name[0] != "." for path in folder.iterdir())):
        raise UserError(f"{folder} exists and is not a run", "choose another --run_name")
    return False


def listing(experiments_folder: Path) -> list[Run]:
    """All runs under the experiments folder, by name; what cannot be read in it is left out with a warning."""
    found = []
    for experiment in files.folders(experiments_folder) if experiments_folder.exists() else ():
        with _warned():
            for folder in files.folders(experiment):
                with _warned():
                    if (files.readable(folder) / RECORD).exists():
                        found.append(read(folder))
    return found


@contextlib.contextmanager
def _warned() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        logger.warning("%s", error.what)


def write_record(run: Run) -> None:
    """Write `run.json`."""
    files.write_json(run.path(RECORD), dict(run.record))


def finish(run: Run) -> Run:
    """Hash every result into `run.json` and mark the run finished."""
    digests = {name: _digest(run.path(name)) for name in (run.model_file, *RESULTS)}
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
