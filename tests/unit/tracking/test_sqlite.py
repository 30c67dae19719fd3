"""A SQLite store is made aside, and only what holds nothing is replaced."""

import contextlib
import sqlite3

import pytest

from image_classifier.errors import UserError
from image_classifier.tracking import sqlite

WHOLE = (
    "create table experiments (name text)",
    "create table alembic_version (version_num text)",
    "insert into experiments values ('Default')",
    "insert into alembic_version values ('head')",
)


def write(file, *statements):
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        for statement in statements:
            database.execute(statement)


def make(file):
    write(file, *WHOLE)


def experiments(file):
    with contextlib.closing(sqlite3.connect(file)) as database:
        return database.execute("select name from experiments").fetchall()


@pytest.fixture
def store(tmp_path):
    return tmp_path / "mlflow.db"


@pytest.mark.parametrize(
    "left",
    [
        (),
        WHOLE[:1],
        WHOLE[:2],
        (*WHOLE[:2], WHOLE[3], "create table runs (name text)"),
        (*WHOLE[:1], "create table workspaces (name text)", "insert into workspaces values ('default')"),
    ],
)
def test_half_a_store_that_holds_nothing_is_made_anew(store, left):
    write(store, *left)
    sqlite.provide(store, make)
    assert experiments(store) == [("Default",)]


def test_what_a_killed_process_left_is_removed(store):
    write(store, *WHOLE[:1])
    for name in ("mlflow.db-journal", "mlflow.db-wal", ".mlflow.db.0.tmp", ".mlflow.db.0.tmp-journal"):
        (store.parent / name).write_bytes(b"")
    sqlite.provide(store, make)
    assert [path.name for path in store.parent.iterdir()] == ["mlflow.db"]


def test_nothing_stays_of_a_store_that_could_not_be_made(store):
    def fail(file):
        write(file, *WHOLE[:1])
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        sqlite.provide(store, fail)
    assert list(store.parent.iterdir()) == []


def test_a_link_to_a_store_stays_a_link(store, tmp_path):
    store.symlink_to(tmp_path / "elsewhere.db")
    sqlite.provide(store, make)
    assert store.is_symlink()
    assert experiments(tmp_path / "elsewhere.db") == [("Default",)]


@pytest.mark.parametrize(
    "content",
    [WHOLE, ("create table pets (name text)",), ("create table pets (name text)", "insert into pets values ('a')")],
)
def test_a_whole_store_and_a_database_of_something_else_are_left_alone(store, content):
    write(store, *content)
    before = store.read_bytes()
    sqlite.provide(store, make)
    assert store.read_bytes() == before


def test_what_is_no_database_is_left_to_mlflow(store):
    store.write_text("no database, but longer than its header would be " * 3)
    sqlite.provide(store, make)
    assert store.read_text().startswith("no database")


def test_half_a_store_that_holds_something_is_refused_with_a_way_out(store):
    write(store, *WHOLE[:3])
    before = store.read_bytes()
    with pytest.raises(UserError, match="no whole schema: move it away, or put a copy of it back"):
        sqlite.provide(store, make)
    assert store.read_bytes() == before
