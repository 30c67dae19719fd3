"""A SQLite file that has not changed is recognised; one that has, or may have, is read. PostgreSQL: test_databases."""

import os
import sqlite3

import pytest

from image_classifier.data.sources import query_identity
from image_classifier.data.sources.query_identity import read_if_new
from image_classifier.settings.database import Connection

QUERY = "SELECT key, label FROM t"


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """A connection that writes the file, whose times count at once."""
    monkeypatch.setattr(query_identity, "_UNSETTLED_SECONDS", 0)
    connection = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    connection.execute("CREATE TABLE t (key INTEGER, label TEXT)")
    connection.execute("INSERT INTO t VALUES (1, 'cat'), (2, 'dog')")
    yield connection
    connection.close()


@pytest.fixture
def ask(tmp_path):
    """ask(query) is what is read, or "known" where nothing is, and its identity; what was read once is known."""
    read = set()

    def call(query=QUERY, meanwhile=lambda: None):
        def consume(names, batches):
            rows = [tuple(row) for batch in batches for row in batch]
            meanwhile()
            return rows

        source = Connection(tmp_path / "db_connect.yaml", "sqlite", str(tmp_path / "t.db"), query)
        found, identity = read_if_new(source, None, consume, lambda each: "known" if each in read else None)
        read.add(identity)
        return found, identity

    return call


def test_what_has_not_changed_is_not_read_again(opened, ask):
    rows, identity = ask()
    assert rows == [(1, "cat"), (2, "dog")]
    assert ask() == ("known", identity)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE t SET label = 'cow' WHERE key = 1",  # as many bytes as before
        "INSERT INTO t VALUES (3, 'dog')",
        "DELETE FROM t WHERE key = 2",
        "ALTER TABLE t RENAME COLUMN label TO called",
    ],
)
def test_a_change_is_read(opened, ask, change):
    _, before = ask()
    opened.execute(change)
    rows, identity = ask("SELECT * FROM t")
    assert rows != "known"
    assert identity != before


def test_a_change_that_is_still_in_the_write_ahead_log_is_read(opened, ask):
    assert opened.execute("PRAGMA journal_mode = wal").fetchone() == ("wal",)
    ask()
    opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ask()
    assert ask()[0] == "known"
    opened.execute("UPDATE t SET label = 'cow' WHERE key = 1")
    assert ask()[0] == [(1, "cow"), (2, "dog")]
    assert ask()[0] == "known"
    opened.execute("UPDATE t SET label = 'sow' WHERE key = 1")
    assert ask()[0] == [(1, "sow"), (2, "dog")]


def test_another_file_in_its_place_is_read_though_it_claims_the_same_time(opened, ask, tmp_path):
    ask()
    before = (tmp_path / "t.db").stat()
    with sqlite3.connect(tmp_path / "other.db") as other:
        opened.backup(other)
        other.execute("UPDATE t SET label = 'cow' WHERE key = 1")
    other.close()
    os.utime(tmp_path / "other.db", ns=(before.st_atime_ns, before.st_mtime_ns))
    (tmp_path / "other.db").replace(tmp_path / "t.db")
    assert (tmp_path / "t.db").stat().st_size == before.st_size
    assert ask()[0] == [(1, "cow"), (2, "dog")]


def test_a_change_whose_time_was_set_back_is_read(opened, ask, tmp_path):
    ask()
    before = (tmp_path / "t.db").stat()
    opened.execute("UPDATE t SET label = 'cow' WHERE key = 1")
    os.utime(tmp_path / "t.db", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (tmp_path / "t.db").stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)
    assert ask()[0] == [(1, "cow"), (2, "dog")]


def test_a_file_that_changed_just_now_may_change_again_in_the_same_moment(opened, ask, monkeypatch):
    monkeypatch.undo()
    assert ask() == ([(1, "cat"), (2, "dog")], None)


def test_what_changed_while_it_was_read_is_not_filed(opened, ask):
    change = "INSERT INTO t VALUES (3, 'dog')"
    assert ask(meanwhile=lambda: opened.execute(change)) == ([(1, "cat"), (2, "dog")], None)
    assert ask()[0] == [(1, "cat"), (2, "dog"), (3, "dog")]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT key, label FROM t ORDER BY random()",
        'SELECT key, label FROM t ORDER BY "RANDOM" /* */ ()',
        "SELECT key, strftime('%s', 'now') FROM t",
        "SELECT key, CURRENT_TIMESTAMP FROM t",
        "SELECT key, label FROM lucky",
        "SELECT name FROM pragma_database_list()",
    ],
)
def test_what_depends_on_the_clock_or_on_chance_is_read_each_time(opened, ask, query):
    if "lucky" in query:  # which holds for every query of a file that has such a view
        opened.execute("CREATE VIEW lucky AS SELECT * FROM t WHERE abs(random()) > 0")
    assert ask()[1] is not None or "lucky" in query
    for _ in range(2):
        rows, identity = ask(query)
        assert rows != "known"
        assert identity is None


def test_another_query_of_the_same_file_is_another_content(opened, ask):
    assert ask()[1] != ask(f"{QUERY} WHERE key = 1")[1]
