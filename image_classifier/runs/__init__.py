"""The run folder: what it holds, where it is found, how it is written. Imports no torch."""

from image_classifier.runs.finding import check_name, exists, find, listing, locate, members
from image_classifier.runs.record import (
    FINISHED,
    RECORD,
    RESULTS,
    UNFINISHED,
    Run,
    finish,
    read,
    refresh,
    write_record,
)

__all__ = [
    "FINISHED", "RECORD", "RESULTS", "UNFINISHED", "Run", "check_name", "exists", "find", "finish", "listing", "locate",
    "members", "read", "refresh", "write_record",
]  # fmt: skip
