"""A SQLite store: there with its whole schema, or not there."""

import contextlib
import glob
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

from image_classifier import files
from image_classifier.errors import UserError

_BESIDE = ("-journal", "-wal", "-shm")  # what SQLite keeps beside a database; it would be applied to a new one
_OF_THE_SCHEMA = {"alembic_version", "workspaces"}  # tables in which making the schema itself writes


def provide(store: Path, make: Callable[[Path], None]) -> None:
    """See that the store is there and whole; for whoever holds the lock of its folder. `make` makes an empty one.

    SQLite commits each table by itself. What a full disk, or a kill, leaves of a schema cannot be completed by MLflow.
    So a store is made aside and put in its place when it is whole.
    """
    if str(store).startswith((":memory:", "file:")) or not _is_lacking(store):
        return
    place = store.resolve()
    for left in place.parent.glob(f".{glob.escape(place.name)}.*.tmp*"):
        files.remove(left)
    aside = place.with_name(f".{place.name}.{uuid.uuid4().hex}.tmp")
    try:
        make(aside)
        for name in _BESIDE:
            files.remove(Path(f"{place}{name}"))
        files.move(aside, place)
    finally:
        for name in ("", *_BESIDE):
            files.remove(Path(f"{aside}{name}"))


def _is_lacking(store: Path) -> bool:
    """Whether there is no store, or half a one that holds nothing."""
    if not store.exists():
        return True
    if not store.is_file():
        return False  # MLflow says what is wrong
    try:
        tables, filled = _read(store)
    except sqlite3.Error:  # likewise
        return False
    if tables and "experiments" not in tables:  # MLflow's first table; this is a database of something else
        return False
    if filled - _OF_THE_SCHEMA and "alembic_version" not in filled:
        raise UserError(f"{store} holds runs but no whole schema: move it away, or put a copy of it back")
    return not filled - _OF_THE_SCHEMA


def _read(store: Path) -> tuple[set[str], set[str]]:
    """The tables of a database, and those that hold anything."""
    with contextlib.closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=rw", uri=True)) as database:
        tables = {str(name) for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
        filled = {name for name in tables if database.execute(f'select 1 from "{name}" limit 1').fetchone()}  # noqa: S608
    return tables, filled
