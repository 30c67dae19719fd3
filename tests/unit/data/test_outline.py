"""Tests of what can be told of a data set before it is prepared."""

import os

import pytest

from image_classifier.data.outline import Outline, outline


def words(path, most=64):
    return outline(str(path), most).words


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_built_in_tables_are_tables(name):
    assert outline(name, 16) == Outline(is_table=True, size=None, words="a table")


def test_built_in_digits_have_the_size_that_they_are_stored_at(prepared):
    assert outline("digits", 4) == Outline(is_table=False, size=(8, 8), words="images of 8 × 8 pixels")
    assert prepared("digits").shape[:2] == (8, 8)


@pytest.mark.parametrize("name", ["t.csv", "T.PARQUET"])
def test_a_table_is_known_by_its_name_even_where_there_is_none(tmp_path, name):
    assert outline(str(tmp_path / name), 16).is_table


def test_images_of_one_size_have_it_whatever_else_lies_among_them(pets, picture):
    (pets / "cat" / "notes.txt").write_text("not an image")
    (pets / "cat" / "empty.png").write_bytes(b"")
    assert outline(str(pets), 8).size == (8, 8)
    picture(pets / "beside.png", 20, 30)
    picture(pets / ".hidden" / "x.png", 20, 30)
    assert outline(str(pets), 8).size == (8, 8)


def test_height_comes_before_width(tmp_path, picture):
    for name in ("a", "b"):
        picture(tmp_path / "wide" / name / "x.jpg", 5, 12)
    assert outline(str(tmp_path / "wide"), 16).size == (5, 12)


def test_images_of_several_sizes_have_none(pets, picture):
    picture(pets / "dog" / "deep" / "x.png", 9, 8)
    assert outline(str(pets), 16) == Outline(is_table=False, size=None, words="images of several sizes")


def test_the_splits_of_a_folder_are_one_data_set(pets, picture):
    (pets / "train").mkdir()
    for name in ("cat", "dog"):
        (pets / name).rename(pets / "train" / name)
        picture(pets / "test" / name / "x.png")
    assert outline(str(pets), 16).size == (8, 8)
    picture(pets / "test" / "dog" / "y.png", 8, 9)
    assert words(pets) == "images of several sizes"


def test_the_first_image_that_is_too_large_ends_the_search(pets, picture):
    picture(pets / "cat" / "0.png", 10, 10)
    (pets / "dog" / "a link").symlink_to("..")  # an error where it is looked at
    assert words(pets, 9) == "images of more than 9 pixels"


def test_batches_of_cifar_and_a_place_to_download_them_to_are_of_32_pixels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert outline("data/cifar_dataset", 16).size == (32, 32)
    (tmp_path / "here" / "cifar-10-batches-py").mkdir(parents=True)
    assert outline("here", 16).size == (32, 32)
    assert os.listdir(tmp_path) == ["here"]


def test_a_prepared_store_has_the_shape_that_it_was_prepared_at(pets, prepared, tmp_path):
    found = outline(str(prepared(pets, image_size=12).folder), 4)
    assert (found.size, found.is_store) == ((12, 12), True)
    assert outline(str(prepared("wine").folder), 4).is_table
    assert not outline(str(pets), 4).is_store


@pytest.mark.parametrize("name", ["missing", "empty", "~nobody-of-that-name/x", "flat", "store", "file.zip"])
def test_what_cannot_be_told_is_unknown_and_no_error(tmp_path, name):
    (tmp_path / "empty" / "cat").mkdir(parents=True)
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "notes.txt").write_text("x")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "store.json").write_text("[" * 100_000)
    (tmp_path / "file.zip").write_bytes(b"PK")
    where = name if name.startswith("~") else str(tmp_path / name)
    assert outline(where, 16) == Outline(is_table=False, size=None, words="images of an unknown size")


@pytest.mark.parametrize("index", ["[]", "{}", '{"shape": [8, 8]}', '{"shape": "888"}', '{"shape": [8, 8, null]}'])
def test_an_index_without_a_shape_is_unknown(tmp_path, index):
    (tmp_path / "store.json").write_text(index)
    assert words(tmp_path) == "images of an unknown size"
