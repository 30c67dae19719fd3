"""A training that can go on: the newest checkpoint, and the one before in case the newest is damaged."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from image_classifier import files
from image_classifier.errors import UserError
from image_classifier.model import artifact
from image_classifier.training.loop import Fitting, State

logger = logging.getLogger(__name__)

NEWEST, PREVIOUS = "checkpoint.pth", "checkpoint_previous.pth"
_PARTS = {"run", "numbers", "history"}


class Checkpoints:
    """The checkpoints in a run's folder. `run` says which run they belong to, in whatever folder it is."""

    def __init__(self, folder: Path, run: str) -> None:
        self.folder, self.run = folder, run
        # Reading the newest one before each save would take seconds; this process knows what it has read or written.
        self._newest_is_good = False

    def write(self, training: Fitting, history: Sequence[Mapping[str, Any]]) -> None:
        """Write the newest checkpoint; the one before it is replaced only by one that can be read."""
        state = training.state()
        if state is None:
            return
        tensors, numbers = state
        if not all(bool(value.isfinite().all()) for value in tensors.values()):
            return  # the training has diverged, as the end of the epoch will say, and this could not be read again
        data = artifact.dumps(tensors, {"run": self.run, "numbers": numbers, "history": list(history)})
        newest = self.folder / NEWEST
        if self._newest_is_good and newest.exists():
            self._newest_is_good = False  # there is none until the next one is written
            files.move(newest, self.folder / PREVIOUS)
        files.write_bytes(newest, data)
        self._newest_is_good = True

    def restore(self, training: Fitting) -> list[dict[str, Any]] | None:
        """Put the training where the newest good checkpoint was taken; the history up to there, `None` without any.

        A damaged file is the machine's doing, and the one before takes its place. Another run's file was put there by
        somebody, who would not expect the training to go on from anywhere else: it is refused.
        """
        own = training.state()
        if own is None:
            return None
        problems = []
        for path in (self.folder / NEWEST, self.folder / PREVIOUS):
            if not path.exists():
                continue
            try:
                tensors, card = _read(path)
            except UserError as error:
                logger.warning("%s", error.what)
                problems.append(error)
                continue
            if card["run"] != self.run:
                raise UserError(f"{path} is a checkpoint of another run", _REMOVE)
            if not _fits(own, tensors, card["numbers"]):
                raise UserError(f"{path} does not fit the network of this run", _REMOVE)
            training.restore(tensors, card["numbers"])
            self._newest_is_good = path.name == NEWEST
            return [dict(row) for row in card["history"]]
        if problems:
            raise UserError(
                f"no checkpoint of {self.folder} can be read: {problems[0].what}",
                "remove the run's folder and train again",
            )
        return None


_REMOVE = f"put this run's own in its place, or remove it: --resume then takes {PREVIOUS}, or begins at the first step"


def remove(folder: Path) -> None:
    """Remove the checkpoints of a run that is finished."""
    for name in (NEWEST, PREVIOUS):
        files.remove(folder / name)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    found = artifact.load(path)
    card = found.card or {}
    if not card.keys() >= _PARTS:
        raise UserError(f"{path} is not a checkpoint")
    return found.tensors, card


def _fits(state: State, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> bool:
    """Whether a training in this state can take them: the code that wrote them may have been another version."""
    own, own_numbers = state
    needed = _kinds({name: value for name, value in own.items() if not name.startswith("best/")})
    best = {f"best/{name.removeprefix('model/')}": kind for name, kind in needed.items() if name.startswith("model/")}
    return _kinds(tensors) in (needed, needed | best) and numbers.keys() == own_numbers.keys()


def _kinds(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {name: (value.shape, value.dtype) for name, value in tensors.items()}
