"""What `sweep.json` holds, as types by which it is checked when it is read."""

from typing import Literal, TypedDict

from image_classifier.runs.formats import Brief
from image_classifier.schema import Amount, Setting


class Asked(TypedDict):
    """What the sweep was asked to try."""

    grid: dict[str, list[Setting]]
    num_threads: str | None


class Tried(TypedDict):
    """One run of the sweep, its figures if it is finished."""

    name: str
    status: str
    settings: dict[str, Setting]
    seconds: Amount | None
    metrics: Brief | None


class Failure(TypedDict):
    """Why a run could not be finished, and what to do about it."""

    name: str
    what: str
    hint: str


class Key(TypedDict):
    """What a tracking server knows the sweep by."""

    key: str


class Content(TypedDict):
    """The content of `sweep.json`."""

    status: Literal["unfinished", "finished"]
    asked: Asked
    children: list[Tried]
    failures: list[Failure]
    started: str
    finished: str | None
    tracking: Key
