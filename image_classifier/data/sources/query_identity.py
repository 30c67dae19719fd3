"""What tells one content of a query from another, so that a store is found again without its images being read.

PostgreSQL: the server digests each row in the form in which it would send it. The digest of all rows is asked for alone
to look a store up. When rows are read, each brings its own digest along, and the store is filed under what was read,
never under what another evaluation of the query gave: `random()` in it cannot mislead.

SQLite: the times and sizes of its files, where they tell, and where the query has nothing that changes by itself.
"""

import contextlib
import hashlib
import logging
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from image_classifier import files
from image_classifier.data.sources.querying import Row, answer, asked, gone, rows
from image_classifier.settings.database import Connection

if TYPE_CHECKING:
    import sqlalchemy as sa

Batches = Iterator[list[Row]]
Result = TypeVar("Result")
Kept = TypeVar("Kept")

_KEY = "key"
_DIGEST_BYTES = hashlib.sha256().digest_size
# What PostgreSQL writes the same value in different ways by.
_SETTINGS = ("DateStyle", "IntervalStyle", "TimeZone", "extra_float_digits", "client_encoding", "lc_monetary")
# A file that has changed within this time may change again without another time of change: some file systems count in
# pairs of seconds.
_UNSETTLED_SECONDS = 2.0
# What makes of one SQLite file several answers. A column of such a name is taken for one of them: it costs a reading.
_CHANGING = re.compile(
    r"\b(random|randomblob|now|date|time|datetime|julianday|unixepoch|strftime|timediff|changes|"
    r"total_changes|last_insert_rowid|current_date|current_time|current_timestamp|load_extension|pragma_\w+)\b",
    re.IGNORECASE,
)
_logger = logging.getLogger(__name__)


def read_if_new(
    source: Connection,
    password: str | None,
    consume: Callable[[list[str], Batches], Result],
    known: Callable[[str], Kept | None] | None,
) -> tuple[Result | Kept, str | None]:
    """What `known` has of the content that the query finds now, else what `consume` makes of it; and its identity.

    None in the place of `known` says that there is nothing to look up; no identity, that none can be had.
    """

    def ask(connection: "sa.Connection") -> tuple[Result | Kept, str | None]:
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  (a third of a second, which only databases need)

        if source.dialect == "sqlite":
            return _by_file(connection, source, consume, known)
        try:
            return _by_rows(connection, source, consume, known)
        except SQLAlchemyError as error:
            if gone(error):
                raise
            _logger.debug("the query's rows have no digest: %s", type(getattr(error, "orig", error)).__name__)
        # Rows that cannot be digested can be read; and what is wrong with the query itself is said as it was written.
        connection.rollback()
        with rows(connection, source) as (names, batches):
            return consume(names, batches), None

    return asked(source, password, ask)


def _by_rows(
    connection: "sa.Connection",
    source: Connection,
    consume: Callable[[list[str], Batches], Result],
    known: Callable[[str], Kept | None] | None,
) -> tuple[Result | Kept, str | None]:
    """As `read_if_new`, by the digests that the server makes of the rows."""
    # OFFSET 0 has each row made once, so that its digest is of the very values that are sent. A query may end in a
    # comment: the bracket is on a line of its own.
    found = f"(SELECT * FROM (\n{source.query}\n) AS asked OFFSET 0) AS found"  # noqa: S608  (the user's own query)
    settings = answer(connection, f"SELECT name, setting FROM pg_settings WHERE name IN {_SETTINGS} ORDER BY name")  # noqa: S608
    about = [source.dialect, files.digest_bytes(source.query.encode()), [tuple(each) for each in settings]]
    if known is not None:
        with rows(connection, source, f"SELECT * FROM {found} LIMIT 0") as (names, _):  # noqa: S608
            pass
        # What the query holds beside one SELECT was refused with the names.
        ((count, digest),) = answer(connection, _digest_of(found, in_order=_KEY not in names))
        identity = _named([*about, names, count, digest.hex()])
        store = known(identity)
        if store is not None:
            return store, identity
    with rows(connection, source, f"SELECT found.*, sha256(record_send(found.*)) FROM {found}") as (sent, batches):  # noqa: S608
        names, digests = sent[:-1], bytearray()
        made = consume(names, _taken(batches, digests))
    count = len(digests) // _DIGEST_BYTES
    if _KEY in names:  # in which order they came says nothing then
        digests = bytearray(np.sort(np.frombuffer(digests, f"S{_DIGEST_BYTES}")).tobytes())
    return made, _named([*about, names, count, hashlib.sha256(digests).hexdigest()])


def _digest_of(found: str, *, in_order: bool) -> str:
    """The query for how many rows there are, and for the digest of their digests."""
    number, by = ("row_number() OVER () AS n, ", "n") if in_order else ("", "digest")
    each = f"SELECT {number}sha256(record_send(found.*)) AS digest FROM {found}"  # noqa: S608  (the user's own query)
    return f"SELECT count(*), sha256(coalesce(string_agg(digest, ''::bytea ORDER BY {by}), '')) FROM ({each}) AS each"  # noqa: S608


def _taken(batches: Batches, digests: bytearray) -> Batches:
    """The rows without the digests that they bring, which are added to those before."""
    for batch in batches:
        for row in batch:
            digests += row[-1]
        yield [row[:-1] for row in batch]


def _by_file(
    connection: "sa.Connection",
    source: Connection,
    consume: Callable[[list[str], Batches], Result],
    known: Callable[[str], Kept | None] | None,
) -> tuple[Result | Kept, str | None]:
    """As `read_if_new`, by what the file system says of SQLite's file."""
    before = _stats(source)
    identity = None
    if _settled(before) and _repeatable(connection, source.query):
        query = files.digest_bytes(source.query.encode())
        identity = _named([source.dialect, sqlite3.sqlite_version, query, before])
    store = known(identity) if known is not None and identity else None
    if store is not None:
        return store, identity
    with rows(connection, source) as (names, batches):
        made = consume(names, batches)
    return made, identity if _stats(source) == before else None


def _stats(source: Connection) -> list[list[int]]:
    """What changes when the database's file does, or the files that hold what is not in it yet."""
    file = Path(source.name).expanduser().absolute()
    about = file.stat()
    found = [[about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns]]
    for beside in ("wal", "journal"):
        with contextlib.suppress(FileNotFoundError):
            about = Path(f"{file}-{beside}").stat()
            if about.st_size:  # a reader may leave an empty one, and gives one to the file's owner: a new ctime
                found.append([about.st_ino, about.st_size, about.st_mtime_ns])
    return found


def _settled(stats: list[list[int]]) -> bool:
    """Whether the files were changed so long ago that another change would show in their times."""
    newest = max((moment for about in stats for moment in about[2:]), default=0)
    return newest <= time.time_ns() - _UNSETTLED_SECONDS * 1e9


def _repeatable(connection: "sa.Connection", query: str) -> bool:
    """Whether the query has no word that may give another answer next time, nor any view that it could ask."""
    views = answer(connection, "SELECT sql FROM sqlite_master WHERE type = 'view'")
    return not any(_CHANGING.search(str(text)) for text in (query, *(view for (view,) in views)))


def _named(said: list[Any]) -> str:
    return files.digest_bytes(files.canonical_json(said).encode())
