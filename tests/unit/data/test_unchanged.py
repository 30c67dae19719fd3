"""What changes while it is prepared becomes no store, whatever part of it changes, and can be prepared afterwards."""

import os

import numpy as np
import pytest

from image_classifier.data import preparing
from image_classifier.errors import UserError


@pytest.fixture
def manifest(pets):
    lines = [f"pets/{name}/{number}.png,{name}" for name in ("cat", "dog") for number in range(10)]
    (pets.parent / "m.csv").write_text("\n".join(["image,label", *lines]) + "\n")
    return pets.parent / "m.csv"


@pytest.fixture
def table(tmp_path):
    rows = [f"{number % 7},{'ab'[number % 2]}" for number in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["size,label", *rows]) + "\n")
    return tmp_path / "t.csv"


@pytest.fixture
def meanwhile(monkeypatch):
    """meanwhile(act) has `act` happen once, when the examples of a store have been written."""

    def arrange(act):
        waiting, real = [act], preparing.write_store

        def written(*arguments, **named):
            digest = real(*arguments, **named)
            if waiting:
                waiting.pop()()
            return digest

        monkeypatch.setattr(preparing, "write_store", written)

    return arrange


def rewritten(path):
    """Other bytes, as many and with the old time of change, as an editor that keeps times leaves them."""
    about, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def refused(prepared, data, words, tmp_path, **settings):
    with pytest.raises(UserError) as caught:
        prepared(data, **settings)
    assert words in caught.value.what
    assert "run again" in caught.value.hint
    assert list((tmp_path / "cache").glob("*/store.json")) == []
    assert prepared(data, **settings).digest


def test_an_image_of_a_folder(pets, prepared, picture, meanwhile, tmp_path):
    meanwhile(lambda: picture(pets / "dog" / "3.png"))
    refused(prepared, pets, "1 of 20 files of", tmp_path)


def test_the_new_image_is_what_is_stored_when_it_is_run_again(pets, prepared, picture, meanwhile):
    pixels = []
    meanwhile(lambda: pixels.append(picture(pets / "dog" / "3.png")))
    with pytest.raises(UserError, match=r"changed while they were prepared:\n  dog/3\.png"):
        prepared(pets)
    splits = prepared(pets).splits.values()
    (found,) = [split.inputs[split.names.index("dog/3.png")] for split in splits if "dog/3.png" in split.names]
    assert np.array_equal(found, pixels[0])


def test_an_image_whose_size_and_time_are_as_before(pets, prepared, meanwhile, tmp_path):
    meanwhile(lambda: rewritten(pets / "cat" / "0.png"))
    with pytest.raises(UserError, match=r"cat/0\.png"):
        prepared(pets)


def test_many_images_that_were_removed(pets, prepared, meanwhile):
    meanwhile(lambda: [path.unlink() for path in pets.rglob("*.png")])
    with pytest.raises(UserError, match="20 of 20 files"):
        prepared(pets)


def test_an_image_of_a_manifest_and_the_manifest_itself(manifest, pets, prepared, picture, meanwhile, tmp_path):
    meanwhile(lambda: picture(pets / "cat" / "1.png"))
    refused(prepared, manifest, "1 of 21 files of", tmp_path)
    manifest.write_text(manifest.read_text() + "\n")
    for store in (tmp_path / "cache").glob("*/store.json"):
        store.unlink()
    meanwhile(lambda: manifest.write_text(manifest.read_text() + "\n"))
    refused(prepared, manifest, "\n  m.csv", tmp_path)


def test_a_table(table, prepared, meanwhile, tmp_path):
    meanwhile(lambda: table.write_text(table.read_text() + "3,a\n"))
    refused(prepared, table, "\n  t.csv", tmp_path, target_column="label")
