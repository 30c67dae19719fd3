"""Tests of recognising: what a name or a path is, and what is said where it is none."""

import pytest

from image_classifier.errors import UserError


def refusal(call, *arguments, **named):
    with pytest.raises(UserError) as caught:
        call(*arguments, **named)
    return caught.value


@pytest.mark.parametrize(("name", "near"), [("digit", "digits"), ("Digits", "digits"), ("pest", "pets")])
def test_an_unknown_name_is_refused_with_the_nearest_known_one(pets, prepared, monkeypatch, name, near):
    monkeypatch.chdir(pets.parent)
    error = refusal(prepared, name)
    assert f"the data set {name} was not found: no built-in data set has that name" in error.what
    assert f"did you mean {near}?" in error.hint


def test_a_path_that_does_not_exist_names_the_sibling_that_does(pets, prepared):
    error = refusal(prepared, pets.parent / "petz")
    assert "there is no folder" in error.what
    assert f"did you mean {pets}?" in error.hint


def test_a_published_table_that_is_absent_is_said_where_to_get(tmp_path, prepared):
    error = refusal(prepared, tmp_path / "data" / "raw" / "WineQT.csv")
    assert "WineQT.csv was not found" in error.what
    assert "https://www.kaggle.com/datasets/yasserh/wine-quality-dataset" in error.hint
    assert f"into {tmp_path}/data/raw" in error.hint


def test_a_path_below_nothing_is_refused_plainly(prepared):
    assert "there is no folder /nowhere/at/all" in refusal(prepared, "/nowhere/at/all").what


def test_a_built_in_name_wins_and_a_separator_means_a_path(pets, prepared, monkeypatch):
    monkeypatch.chdir(pets.parent)
    pets.rename("digits")
    assert len(prepared("digits").classes) == 10
    assert prepared("./digits").classes == ("cat", "dog")


def test_a_file_is_refused(tmp_path, prepared):
    (tmp_path / "images.zip").write_bytes(b"PK")
    error = refusal(prepared, tmp_path / "images.zip")
    assert "is a file, neither a folder nor a table" in error.what
    assert "unpack" in error.hint


def test_the_home_folder_may_be_written_as_a_tilde(pets, prepared, monkeypatch):
    monkeypatch.setenv("HOME", str(pets.parent))
    assert prepared("~/pets").classes == ("cat", "dog")


def test_an_address_with_one_slash_is_refused_with_the_right_one(prepared):
    error = refusal(prepared, "s3:/bucket/photos")
    assert error.hint.startswith("did you mean s3://bucket/photos?")
