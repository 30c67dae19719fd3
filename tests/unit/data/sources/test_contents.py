"""Tests of what is at an address, told by names alone; fsspec's own memory is the server."""

import json
import uuid

import fsspec
import pytest

from image_classifier.data.sources import contents
from image_classifier.data.sources.contents import look
from image_classifier.errors import UserError


@pytest.fixture
def at():
    """at(**objects) puts objects by their names, and is the address of them all."""
    fs, place = fsspec.filesystem("memory"), uuid.uuid4().hex

    def put(objects):
        for name, data in objects.items():
            fs.pipe_file(f"/{place}/data/{name}", data)
        return f"memory://{place}/data"

    yield put
    fs.rm(f"/{place}", recursive=True)


def kinds(found):
    return [kind for kind in ("is_file", "is_store", "is_table", "is_cifar") if getattr(found, kind)]


@pytest.mark.parametrize(
    ("objects", "kind", "kept"),
    [
        ({"cat/1.png": b"1", "dog/1.png": b"2"}, [], ["cat/1.png", "dog/1.png"]),
        ({"cat/1.png": b"1", "dog/1.png": b"2", "README.md": b"", "all.zip": b"z"}, [], ["cat/1.png", "dog/1.png"]),
        ({"part-0.parquet": b"1", "_SUCCESS": b""}, ["is_table"], ["_SUCCESS", "part-0.parquet"]),
        ({"a.parquet": b"1", "_temporary/0/x": b""}, ["is_table"], ["_temporary/0/x", "a.parquet"]),
        (
            {"cifar-10-batches-py/test_batch": b"1", "metadata.json": b"{}", "x.md": b""},
            ["is_cifar"],
            ["cifar-10-batches-py/test_batch", "metadata.json"],
        ),
        (
            {"store.json": b"{}", "train_inputs.npy": b"1", "notes.txt": b""},
            ["is_store"],
            ["store.json", "train_inputs.npy"],
        ),
    ],
)
def test_what_is_there_is_told_by_names_and_what_nothing_reads_is_left_out(at, objects, kind, kept):
    found = look(at(objects))
    assert kinds(found) == kind
    assert [each.path for each in found.objects] == kept


@pytest.mark.parametrize(
    ("objects", "name", "words"),
    [
        ({"cat/1.png": b"1"}, "dog", "there is nothing at memory://"),
        ({"all.zip": b"1"}, "all.zip", "is one object, neither a folder nor a table"),
        ({"1.png": b"1", "2.png": b"2"}, "", "holds 2 objects and no class folders"),
        ({"train_inputs.npy": b"1"}, "", "is not complete: it has no store.json"),
        ({"metadata.json": b"{}"}, "", "holds 1 objects and no class folders"),
    ],
)
def test_what_is_no_data_set_is_refused(at, objects, name, words):
    with pytest.raises(UserError) as caught:
        look(f"{at(objects)}/{name}")
    assert words in caught.value.what


def test_a_table_is_one_object(at):
    found = look(at({"t.csv": b"a,b\n"}) + "/t.csv")
    assert kinds(found) == ["is_file"]
    assert found.inside(found.objects[0]).path == "data/t.csv"


def test_a_store_s_index_is_read_and_one_that_is_no_json_is_none(at):
    assert look(at({"store.json": json.dumps({"shape": [1]}).encode()})).index() == {"shape": [1]}
    assert look(at({"store.json": b"{"})).index() is None


def test_the_identity_changes_with_a_name_a_size_or_a_version_and_not_with_the_place(at):
    one = {"cat/1.png": b"1", "dog/1.png": b"2"}
    found = look(at(one))

    def identity(*changes):
        objects = tuple(each._replace(**changes[0]) if changes else each for each in found.objects[:1])
        return contents.Contents(found.address, found.bucket, objects).identity()

    elsewhere = contents.Contents(found.address.folder, found.bucket, found.objects[:1])
    assert identity() == elsewhere.identity()
    told = {identity(), identity({"path": "x"}), identity({"size": 9}), identity({"version": "w"})}
    assert len(told) == 4
    single = contents.Contents(found.address, found.bucket, found.objects[:1], is_file=True)
    assert single.identity() != identity()


def test_without_versions_the_bytes_that_were_pulled_are_the_identity(at):
    found = look(at({"cat/1.png": b"1"}))
    bare = contents.Contents(found.address, found.bucket, (found.objects[0]._replace(version=None),))
    assert bare.identity() is None
    assert bare.identity(lambda _: "one") != bare.identity(lambda _: "other")


def test_what_one_command_looks_at_and_prepares_is_listed_once_and_the_next_lists_again(at):
    place = at({"cat/1.png": b"1"})
    look(place, again_soon=True)
    at({"dog/1.png": b"2"})
    assert len(look(place).objects) == 1
    assert len(look(place).objects) == 2
