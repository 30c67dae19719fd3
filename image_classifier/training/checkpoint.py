"""A training that can go on: the newest checkpoint, and the one before in case the newest is damaged."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from image_classifier import files
from image_classifier.errors import UserError
from image_classifier.model import artifact
from image_classifier.training.loop import Training

logger = logging.getLogger(__name__)

NEWEST, PREVIOUS = "checkpoint.pth", "checkpoint_previous.pth"


@dataclass(frozen=True)
class Checkpoint:
    """A training's tensors and numbers, and the history so far."""

    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]


def save(folder: Path, training: Training, history: Sequence[Mapping[str, Any]]) -> None:
    """Write the newest checkpoint, keeping the one before it."""
    tensors, numbers = training.state()
    data = artifact.dumps(tensors, {"numbers": numbers, "history": list(history)})
    if (folder / NEWEST).exists():
        files.move(folder / NEWEST, folder / PREVIOUS)
    files.write_bytes(folder / NEWEST, data)


def load(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that is whole, or `None` if the run never wrote one."""
    problems = []
    for path in (folder / NEWEST, folder / PREVIOUS):
        if not path.exists():
            continue
        try:
            found = artifact.load(path)
            card = found.card or {}
            if not {"numbers", "history"} <= card.keys():
                raise UserError(f"{path} is not a checkpoint")
        except UserError as error:
            logger.warning("%s", error.what)
            problems.append(error)
            continue
        return Checkpoint(found.tensors, card["numbers"], card["history"])
    if problems:
        raise UserError(
            f"no checkpoint of {folder} can be read: {problems[0].what}", "remove the run's folder and train again"
        )
    return None
