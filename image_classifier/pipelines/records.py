"""How each step of a data scope ended, kept in the temporary area: what the last step learns the outcome from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from image_classifier.pipelines.parameters import Parameters
from image_classifier.pipelines.storage import TMP, Storage

OF_THE_RUN = "_run"  # in place of a scope; no scope's name begins with an underscore
SCOPE_STEPS = ("setup", "preprocessing", "feature_engineering", "train", "evaluate", "set_mining")
_FIELDS = ("step", "state", "error_msg")
_NO_WORD = "ended without a word: its container was killed, or never started"


class State(StrEnum):
    """How a step, or a data scope, ended."""

    DONE = "done"
    SKIPPED = "skipped"  # there was no data
    FAILED = "failed"


@dataclass(frozen=True)
class Record:
    """How one step ended."""

    step: str
    state: State
    error_msg: str = ""


def write(storage: Storage, parameters: Parameters, scope: str, record: Record) -> None:
    """Keep how a step ended."""
    path = storage.path(TMP, parameters.kf_run_id, "records", scope, f"{record.step}.json")
    storage.write_json(path, {name: str(getattr(record, name)) for name in _FIELDS})


def read(storage: Storage, parameters: Parameters) -> dict[str, list[Record]]:
    """How the steps of each scope ended, in the order of the steps."""
    folder = storage.path(TMP, parameters.kf_run_id, "records")
    found: dict[str, list[Record]] = {}
    for name in storage.listed(folder):
        about: Any = storage.read_json(f"{folder}/{name}")
        record = Record(about["step"], State(about["state"]), about["error_msg"])
        found.setdefault(name.partition("/")[0], []).append(record)
    return {scope: sorted(records, key=_place) for scope, records in found.items()}


def _place(record: Record) -> int:
    return SCOPE_STEPS.index(record.step) if record.step in SCOPE_STEPS else -1


def ended(records: Sequence[Record]) -> Record | None:
    """The record that ended its scope before the last step, if one did."""
    return next((record for record in records if record.state != State.DONE), None)


def outcome(records: Sequence[Record]) -> Record:
    """What became of a data scope; one that stopped before its last step without a record has failed."""
    end = ended(records)
    if end is not None:
        return end
    done = {record.step for record in records}
    missing = next((step for step in SCOPE_STEPS if step not in done), None)
    return Record(missing, State.FAILED, _NO_WORD) if missing else records[-1]


def of_the_run(found: Mapping[str, Sequence[Record]], expected: Sequence[str]) -> Record | None:
    """What went wrong before the data scopes, if anything did; `expected` are the steps that must have ended."""
    records = found.get(OF_THE_RUN, ())
    done = {record.step for record in records}
    missing = next((step for step in expected if step not in done), None)
    return ended(records) or (Record(missing, State.FAILED, _NO_WORD) if missing else None)
