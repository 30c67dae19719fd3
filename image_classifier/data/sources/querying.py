"""A query's rows, a few at a time: SQLite or PostgreSQL, only read, and read again where the connection is lost."""

import contextlib
import itertools
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from image_classifier.errors import UserError, one_line
from image_classifier.settings.database import PACKAGED, Connection

if TYPE_CHECKING:
    import sqlalchemy as sa

Row = Sequence[Any]
Result = TypeVar("Result")

ATTEMPTS = 4
_FIRST_PAUSE = 0.5  # seconds before the second attempt; twice as many before each later one
_BATCH_BYTES = 4_000_000  # what is asked for at a time, by the size of the rows before
_MOST_ROWS = 1000
_LONGEST = 200  # characters of a driver's words
_CONNECT_SECONDS = 10
# Classes and codes of SQLSTATE that mean: the server or the way to it is gone, and may come back.
_GONE = ("08", "57P")
_GONE_WORDS = ("refused", "timeout", "timed out", "starting up", "shutting down", "closed the connection", "reset by")
_logger = logging.getLogger(__name__)


def read(
    source: Connection,
    password: str | None,
    consume: Callable[[list[str], Iterator[list[Row]]], Result],
    *,
    attempts: int = ATTEMPTS,
) -> Result:
    """What `consume` makes of the columns' names and the rows in batches; it begins anew when a connection is lost."""

    def ask(connection: "sa.Connection") -> Result:
        with rows(connection, source) as (names, batches):
            return consume(names, batches)

    return asked(source, password, ask, attempts=attempts)


def asked(
    source: Connection, password: str | None, ask: Callable[["sa.Connection"], Result], *, attempts: int = ATTEMPTS
) -> Result:
    """What `ask` makes of a connection that only reads; where it is lost, `ask` is given another one."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  (a third of a second, which only databases need)

    for attempt in itertools.count(1):
        try:
            with _connected(source, password) as connection:
                return ask(connection)
        except SQLAlchemyError as error:
            words = _words(error, password)
            if not gone(error) or attempt == attempts:
                raise _refused(source, words, gone(error)) from None  # the cause may name what is secret
            pause = _FIRST_PAUSE * 2 ** (attempt - 1)
            _logger.warning("the database is gone: %s; its query is asked again in %g s", words, pause)
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _connected(source: Connection, password: str | None) -> "sa.Connection":
    if source.dialect == "sqlite":
        return _sqlite(source).connect()
    # Repeatable read: all that one connection asks sees one state of the tables.
    how = {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
    return _postgresql(source, password).connect().execution_options(**how)


# A percent sign or a colon in the query is itself.
_AS_IT_IS = {"no_parameters": True}


def answer(connection: "sa.Connection", query: str) -> list[Row]:
    """All rows of a query that has few; of a text of ours, for it is not refused a second statement."""
    return list(connection.exec_driver_sql(query, execution_options=_AS_IT_IS).all())


@contextlib.contextmanager
def rows(
    connection: "sa.Connection", source: Connection, query: str | None = None
) -> Iterator[tuple[list[str], Iterator[list[Row]]]]:
    """The columns' names and the rows in batches: of the source's own query, or of one that is made of it."""
    options = _AS_IT_IS | {"stream_results": True, "max_row_buffer": 1}
    result = connection.exec_driver_sql(query or source.query, execution_options=options)
    if not result.returns_rows:
        raise UserError(f"the query in {source.file} yields no rows but does something", "write a SELECT")
    names = list(result.keys())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(
            f"the query in {source.file} yields the column {', '.join(twice)} more than once",
            "name each column once: SELECT … AS label",
        )
    with _closed(result.cursor):
        yield names, _batches(result.fetchmany)


@contextlib.contextmanager
def _closed(cursor: Any) -> Iterator[None]:
    """Close the driver's cursor at the end: SQLAlchemy forgets it where the connection is lost."""
    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # it may be of a connection that is gone
            cursor.close()


def _batches(fetch: Callable[[int], Sequence[Row]]) -> Iterator[list[Row]]:
    """The rows in batches of some megabytes, however large a row is: the first is one row alone."""
    count = 1
    while rows := list(fetch(count)):
        yield rows
        size = sum(len(value) for row in rows for value in row if isinstance(value, bytes | str)) // len(rows)
        count = max(1, min(_MOST_ROWS, 4 * count, _BATCH_BYTES // (size + 1)))


def _sqlite(source: Connection) -> "sa.Engine":
    import sqlalchemy as sa  # noqa: PLC0415  (as above)

    file = Path(source.name).expanduser()
    if not file.is_file():
        fill = "python examples/database/fill.py FOLDER fills one from a folder of images; "
        raise UserError(
            f"the database {source.name} was not found: there is no file {file.absolute()}",
            f"{fill if source.file == PACKAGED else ''}name in {source.file} is a SQLite file",
        )

    def connect() -> sqlite3.Connection:
        opened = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        # Text that is not UTF-8 is refused where it is looked at, with its row.
        opened.text_factory = lambda content: content.decode("utf-8", "surrogateescape")
        return opened

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)


def _postgresql(source: Connection, password: str | None) -> "sa.Engine":
    import psycopg  # noqa: PLC0415  (as above)
    import sqlalchemy as sa  # noqa: PLC0415

    url = sa.URL.create("postgresql+psycopg", source.user, password, source.host, source.port, source.name)
    told = {"connect_timeout": str(_CONNECT_SECONDS), "application_name": "image_classifier"} | dict(source.options)
    return sa.create_engine(url, module=psycopg, connect_args=told, poolclass=sa.NullPool)


def _words(error: Exception, password: str | None) -> str:
    """What the driver says, without the query and without what is secret."""
    words = one_line(getattr(error, "orig", None) or error)
    return (words.replace(password, "***") if password else words)[:_LONGEST]


def gone(error: Exception) -> bool:
    """Whether the error says that the server, or the way to it, is gone and may come back."""
    driver = getattr(error, "orig", None)
    state = getattr(driver, "sqlstate", None) or ""
    if state:
        return bool(state.startswith(_GONE))
    words = one_line(driver or error)
    return bool(getattr(error, "connection_invalidated", False)) or any(each in words for each in _GONE_WORDS)


_HINTS = {
    "gone": "nothing is half done and nothing is lost: see that the server runs and is reached, and run again",
    "password": "check user in {file}, and the password in DB_PASS or --db_pass_file",  # pragma: allowlist secret
    "authentication": "check user in {file}, and the password in DB_PASS or --db_pass_file",
    "certificate": "check sslmode and sslrootcert in {file}",
    "SSL": "check sslmode and sslrootcert in {file}",
    "read-only": "the query may only read: write a SELECT in {file}",
    "readonly": "the query may only read: write a SELECT in {file}",
    "locked": "another program is writing the database: wait for it, and run again",
    "not a database": "name in {file} is a SQLite file",
}


def _refused(source: Connection, words: str, lost: bool) -> UserError:
    hint = _HINTS["gone"] if lost else next(
        (text for word, text in _HINTS.items() if word in words), "correct the query, or where it is asked, in {file}"
    )  # fmt: skip
    what = f"the {source.dialect} database {source.name} cannot be read: {words}"
    return UserError(what, hint.replace("{file}", str(source.file)))
