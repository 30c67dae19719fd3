"""The run folder: what it holds, where it is found, how it is written. Imports no torch."""

from image_classifier.runs.finding import exists, find, listing, locate, members
from image_classifier.runs.record import (
    FINISHED,
    MINED,
    RESULTS,
    UNFINISHED,
    Run,
    finish,
    new_key,
    read,
    refresh,
    write_record,
)
from image_classifier.settings.names import RECORD

__all__ = [
    "FINISHED", "MINED", "RECORD", "RESULTS", "UNFINISHED", "Run", "exists", "find", "finish", "listing", "locate",
    "members", "new_key", "read", "refresh", "write_record",
]  # fmt: skip
