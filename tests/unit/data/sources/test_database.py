"""A query's rows as a data set: the same store as from a folder, and what is refused."""

import os
import re
import sqlite3

import numpy as np
import pytest
from PIL import Image

from image_classifier.data.outline import outline
from image_classifier.data.sources import query_identity
from image_classifier.data.store import open_store
from image_classifier.errors import UserError
from image_classifier.settings.database import Access

COLUMNS = "key, image, label, split, patient"


@pytest.fixture
def database(tmp_path, monkeypatch):
    """database(rows, query) is the access to a SQLite file that holds the rows and is asked the query."""
    monkeypatch.delenv("DB_PASS", raising=False)
    opened = sqlite3.connect(tmp_path / "images.db")
    opened.execute(f"CREATE TABLE images ({COLUMNS})")

    def make(rows=(), query="SELECT key, image, label, split FROM images"):
        with opened:
            opened.execute("DELETE FROM images")
            opened.executemany("INSERT INTO images VALUES (?, ?, ?, ?, ?)", rows)
        file = tmp_path / "db_connect.yaml"
        file.write_text(f"dialect: sqlite\nname: {tmp_path / 'images.db'}\nquery: |\n  {query}\n")
        return Access(file)

    yield make
    opened.close()


def rows_of(folder, *, split=None, patient=None):
    """A row for each file of class folders, the last one first: the order in the table is no order."""
    found = sorted((path for path in folder.rglob("*") if path.is_file()), reverse=True)
    return [(str(p.relative_to(folder)), p.read_bytes(), p.parent.name, split, patient) for p in found]


@pytest.fixture
def refused(database, prepared, tmp_path):
    """refused(rows, query) is what is said of them; no store and no copy of an image is left."""

    def call(rows, query="SELECT key, image, label, split FROM images", **more):
        with pytest.raises(UserError) as caught:
            prepared("database", access=database(rows, query), **more)
        left = list((tmp_path / "cache").iterdir()) if (tmp_path / "cache").exists() else []
        assert left == []
        return str(caught.value)

    return call


def test_the_store_is_that_of_the_folder_and_the_query_is_there_as_its_digest(database, prepared, pets):
    query = "SELECT key, image, label FROM images"
    store = prepared("database", access=database(rows_of(pets), query))
    folder = prepared(pets)
    assert store.digest == folder.digest
    assert [split.names for split in store.splits.values()] == [split.names for split in folder.splits.values()]
    assert re.fullmatch("[0-9a-f]{64}", store.query_sha256)
    assert folder.query_sha256 is None
    assert query not in (store.folder / "store.json").read_text()


def test_images_of_several_sizes_and_sub_folders_and_splits_make_the_folder_s_store(
    database, prepared, tmp_path, picture
):
    for split in ("train", "val", "test"):
        for number, name in enumerate(("cat", "dog", "dog/a", "dog/z")):
            picture(tmp_path / "pets" / split / name / f"{split}{number}.png", 9, 10 + number)
    rows = []
    for split in ("train", "val", "test"):
        for key, image, *_ in rows_of(tmp_path / "pets" / split):
            rows.append((f"{split}/{key}", image, key.split("/")[0], split, None))
    store = prepared("database", access=database(rows), image_size=8)
    assert store.digest == prepared(tmp_path / "pets", image_size=8).digest
    assert list(store.splits) == ["train", "val", "test"]
    assert not store.draws_test


def test_what_is_unchanged_is_found_again_and_what_changed_is_not(database, prepared, pets, tmp_path):
    rows = rows_of(pets)
    first = prepared("database", access=database(rows))
    assert prepared("database", access=database(rows[::-1])).folder == first.folder, "rows have no order in a table"
    changed = prepared("database", access=database([*rows[1:], (rows[0][0], rows[0][1], "cat", None, None)]))
    assert changed.digest != first.digest
    assert len(list((tmp_path / "cache").iterdir())) == 2, "no copy of an image is left"


def test_groups_stay_together_and_columns_may_have_other_names(database, prepared, pets):
    rows = [
        (key, image, label, None, f"p{number // 2}") for number, (key, image, label, *_) in enumerate(rows_of(pets))
    ]
    query = "SELECT key, image, label AS animal, patient FROM images"
    store = prepared("database", access=database(rows, query), target_column="animal", group_column="patient")
    groups = {name: set(split.groups.tolist()) for name, split in store.splits.items()}
    assert groups["train"] & groups["test"] == set()
    named = 'SELECT key, image, label, patient AS "group" FROM images'
    assert prepared("database", access=database(rows, named)).digest == store.digest


def test_an_image_that_cannot_be_decoded_is_named_by_its_key(refused, pets):
    rows = rows_of(pets)
    rows[3] = ("broken/one", b"no image", "cat", None, None)
    rows[5] = ("broken/two", rows[5][1][:-30], "cat", None, None)
    said = refused(rows)
    assert "2 of 20 files cannot be used" in said
    assert "broken/one: not a readable image" in said
    assert "broken/two: " in said
    assert ".tmp" not in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [], "finds no rows"),
        (lambda rows: [(*rows[0][:2], None, None, None), *rows[1:]], "label is missing in 1 of 20 rows"),
        (lambda rows: [*rows, rows[0]], "1 keys stand more than once"),
        (lambda rows: [(*rows[0][:2], 7, None, None), *rows[1:]], "label is of mixed types"),
        (lambda rows: [(*rows[0][:2], " cat", None, None), *rows[1:]], "spells one class in two ways"),
        (lambda rows: [("k", None, "cat", None, None), *rows], "image is missing in k"),
        (lambda rows: [("k", "photos/1.png", "cat", None, None), *rows], "image of k in the query"),
        (lambda rows: rows[:10], "names one class only: dog"),
        (lambda rows: rows[9:11], "too few to set 15% aside"),
    ],
)
def test_bad_rows_are_refused_in_words(refused, pets, change, said):
    assert said in refused(change(rows_of(pets)))


@pytest.mark.parametrize(
    ("query", "more", "said"),
    [
        ("SELECT image, label FROM images", {}, "neither a column key nor an order"),
        ("SELECT key, image, label AS lable FROM images", {}, "did you mean label?"),
        ("SELECT key, image FROM images", {}, "has no column label"),
        ("SELECT key, image, label FROM images", {"target_column": "animal"}, "has no column animal"),
        ("SELECT key, image, label FROM images", {"drop_columns": ("label",)}, "drop_columns is set, but database"),
        ("SELECT key FROM images", {}, "no columns beside key"),
    ],
)
def test_queries_of_the_wrong_columns_are_refused(refused, pets, query, more, said):
    assert said in refused(rows_of(pets), query, **more)


def test_an_order_serves_where_there_is_no_key(database, prepared, pets):
    store = prepared("database", access=database(rows_of(pets), "SELECT image, label FROM images ORDER BY key"))
    assert store.digest == prepared(pets).digest


TABLE = "SELECT key, length(image) AS bytes, patient AS height, label FROM images"


def measured(count=40):
    random = np.random.default_rng(0)
    return [
        (number, bytes(int(random.integers(9, 99))), ["a", "b"][number % 2], None, float(random.normal()))
        for number in range(count)
    ]


def test_rows_without_images_are_a_table_like_that_of_a_file(database, prepared, tmp_path):
    rows = measured()
    store = prepared("database", access=database(rows[::-1], TABLE))
    lines = [f"{len(image)},{height!r},{label}" for _, image, label, _, height in rows]
    (tmp_path / "t.csv").write_text("bytes,height,label\n" + "\n".join(lines) + "\n")
    assert store.digest == prepared(tmp_path / "t.csv", target_column="label").digest
    assert [column.name for column in store.columns] == ["bytes", "height"]


def test_a_table_s_splits_are_kept_and_its_columns_can_be_dropped(database, prepared):
    rows = [(*row[:3], "test" if row[0] < 10 else "train", row[4]) for row in measured()]
    access = database(rows, TABLE.replace("label", "label, split"))
    store = prepared("database", access=access, target_column="label", drop_columns=("bytes",))
    assert [column.name for column in store.columns] == ["height"]
    assert store.splits["test"].inputs[:, 0, 0, 0].tolist() == [np.float32(row[4]) for row in rows[:10]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: (*row[:4], "tall" if row[0] == 5 else row[4]), "height in the query"),
        (lambda row: (*row[:4], None if row[0] == 5 else row[4]), "height in database has no value in 1 of 40 rows"),
        (lambda row: (*row[:2], "c" if row[0] == 5 else row[2], None, row[4]), ""),
    ],
)
def test_bad_cells_of_a_table_are_refused(database, prepared, change, said):
    access = database([change(row) for row in measured()], TABLE)
    if not said:
        assert prepared("database", access=access).classes == ("a", "b", "c")
        return
    with pytest.raises(UserError, match=re.escape(said)):
        prepared("database", access=access)


def test_an_unchanged_file_is_not_read_again_but_for_another_target(database, prepared, caplog, monkeypatch):
    monkeypatch.setattr(query_identity, "_UNSETTLED_SECONDS", 0)
    caplog.set_level("INFO")
    access = database(measured(), TABLE)
    first = prepared("database", access=access)
    assert "preparing 40 examples" in caplog.text
    caplog.clear()
    assert prepared("database", access=access).folder == first.folder
    assert "finds what it found before" in caplog.text
    caplog.clear()
    other = prepared("database", access=access, drop_columns=("bytes",))
    assert other.digest != first.digest
    assert "preparing 40 examples" in caplog.text
    assert prepared("database", access=access, split_seed=1).digest != first.digest


def test_rows_of_a_table_are_called_by_their_keys(database, prepared):
    store = prepared("database", access=database(measured(), TABLE))
    names = [name for part in store.splits.values() for name in part.names]
    assert sorted(map(int, names)) == sorted(row[0] for row in measured())
    query = TABLE.replace("key, ", "") + " ORDER BY key"
    assert prepared("database", access=database(measured(), query)).splits["train"].names is None


def test_the_outline_reads_no_more_than_it_needs(database, pets):
    rows = rows_of(pets)
    assert outline("database", 16, database(rows)).size == (8, 8)
    assert outline("database", 4, database(rows)).words == "images of more than 4 pixels"
    assert outline("database", 16, database(measured(), TABLE)).is_table
    # The last row is an error: whoever comes to it fails.
    last = "SELECT key, image, CASE key WHEN 'cat/0.png' THEN json(key || '{') ELSE label END AS label FROM images"
    assert outline("database", 4, database(rows, last)).words == "images of more than 4 pixels"
    assert outline("database", 16, database(rows, last)).words == "images of an unknown size"
    # Of many small images the first thousand say what they are.
    numbers = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 200)"
    late = f"{numbers} SELECT n AS key, image, CASE n WHEN 200 THEN json('{{') ELSE label END AS label FROM n, images"  # noqa: S608
    assert outline("database", 16, database(rows, late)).size == (8, 8)


def test_the_flags_of_a_database_are_for_a_database(database, prepared, pets):
    with pytest.raises(UserError, match="db_connect is set, but the data is"):
        prepared(pets, access=database())


def test_a_folder_called_database_is_the_folder_when_it_is_written_as_one(prepared, pets, tmp_path, monkeypatch):
    os.rename(pets, tmp_path / "database")
    monkeypatch.chdir(tmp_path)
    assert len(prepared("./database").classes) == 2
    with pytest.raises(UserError, match=re.escape("data/images.db was not found")):
        prepared("database")


def test_a_store_that_is_given_as_output_is_complete(database, prepared, pets, tmp_path):
    store = prepared("database", access=database(rows_of(pets)), output=tmp_path / "store")
    assert open_store(tmp_path / "store").digest == store.digest
    with Image.open(pets / store.splits["train"].names[0]) as image:
        assert np.array_equal(store.splits["train"].inputs[0], np.asarray(image))
