"""A SQLite file that another program is writing is waited for some seconds, then refused; nothing is lost."""

import contextlib
import io
import sqlite3

import pytest
import yaml
from PIL import Image

from image_classifier.data.preparing import prepare
from image_classifier.errors import UserError
from image_classifier.settings.database import Access


def test_a_file_that_is_being_written_is_refused_with_what_to_do_and_read_afterwards(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "pets.db", isolation_level=None)) as writing:
        writing.execute("CREATE TABLE images (key INTEGER, image BLOB, label TEXT)")
        for number in range(20):
            content = io.BytesIO()
            Image.new("RGB", (4, 4), (number, 0, 0)).save(content, "PNG")
            writing.execute("INSERT INTO images VALUES (?, ?, ?)", (number, content.getvalue(), "ab"[number % 2]))
        query = "SELECT key, image, label FROM images"
        about = {"dialect": "sqlite", "name": str(tmp_path / "pets.db"), "query": query}
        (tmp_path / "db_connect.yaml").write_text(yaml.safe_dump(about))
        where = {"cache_folder": tmp_path / "cache", "access": Access(db_connect=tmp_path / "db_connect.yaml")}
        writing.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match="is locked") as caught:
            prepare("database", image_size=None, split_seed=0, quiet=True, **where)
        assert caught.value.hint == "another program is writing the database: wait for it, and run again"
        writing.execute("ROLLBACK")
        store = prepare("database", image_size=None, split_seed=0, quiet=True, **where)
    assert sum(len(split.labels) for split in store.splits.values()) == 20
