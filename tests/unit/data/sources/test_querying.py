"""Rows of a SQLite file: all of them, a few at a time, only read; what the database refuses in the user's words."""

import sqlite3

import pytest

from image_classifier.data.sources import querying
from image_classifier.errors import UserError
from image_classifier.settings.database import PACKAGED, Connection


@pytest.fixture
def ask(tmp_path):
    """ask(query) is the names and the batches' rows of a query on a file with 5,000 rows."""
    with sqlite3.connect(tmp_path / "a b%20c.db") as database:
        database.execute("CREATE TABLE t (key INTEGER, image BLOB)")
        database.executemany("INSERT INTO t VALUES (?, ?)", ((number, bytes(number)) for number in range(5000)))
    database.close()

    def call(query, name="a b%20c.db"):
        source = Connection(tmp_path / "db_connect.yaml", "sqlite", str(tmp_path / name), query)
        return querying.read(source, None, lambda names, batches: (names, list(batches)))

    return call


def refusal(call, *arguments):
    with pytest.raises(UserError) as caught:
        call(*arguments)
    return str(caught.value)


def test_every_row_comes_once_and_no_batch_is_large(ask):
    names, batches = ask("SELECT key, image FROM t ORDER BY key")
    assert names == ["key", "image"]
    assert [row[0] for batch in batches for row in batch] == list(range(5000))
    assert all(row[1] == bytes(row[0]) for batch in batches for row in batch)
    assert 5 < len(batches) < 1000
    assert max(sum(len(row[1]) for row in batch) for batch in batches) < 8_000_000


def test_percent_signs_colons_and_question_marks_are_themselves(ask):
    _, batches = ask("SELECT '100 %', ':name %s', '?' FROM t WHERE key = 1")
    assert [tuple(row) for row in batches[0]] == [("100 %", ":name %s", "?")]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT nowhere FROM t", "no such column: nowhere"),
        ("SELECT * FROM t; DELETE FROM t", "one statement at a time"),
        ("DELETE FROM t", "the query may only read"),
        ("CREATE TABLE u (a)", "the query may only read"),
        ("SELECT key, image AS key FROM t", "the column key more than once"),
        ("not SQL", "syntax error"),
    ],
)
def test_a_query_that_cannot_be_asked_is_refused_with_where_it_stands(ask, query, said):
    shown = refusal(ask, query)
    assert said in shown
    assert "db_connect.yaml" in shown
    assert ask("SELECT count(*) FROM t")[1] == [[(5000,)]], "nothing was changed"


def test_a_file_that_is_none_is_named(ask, tmp_path):
    (tmp_path / "text.db").write_text("no database, but longer than the header of one would be " * 20)
    assert "not a database" in refusal(ask, "SELECT * FROM t", "text.db")
    assert f"there is no file {tmp_path / 'none.db'}" in refusal(ask, "SELECT 1", "none.db")
    assert not (tmp_path / "none.db").exists()


def test_the_packaged_description_says_how_its_file_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = Connection(PACKAGED, "sqlite", "data/images.db", "SELECT 1")
    assert "examples/database/fill.py" in refusal(querying.read, source, None, lambda *_: None)


def test_text_that_is_not_utf8_comes_with_its_bytes(ask):
    _, batches = ask("SELECT CAST(x'636166e9' AS TEXT)")
    assert batches[0][0][0] == "caf\udce9"
