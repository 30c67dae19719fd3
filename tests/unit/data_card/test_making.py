"""The card as a file: where it may be written, and that broken files are on it before their error goes on."""

from pathlib import Path

import pytest

from image_classifier.data.inputs import UnusableFilesError
from image_classifier.data_card import making
from image_classifier.errors import UserError


@pytest.mark.parametrize(
    ("report", "what"),
    [("card.txt", r"does not end in \.html"), ("card", r"does not end in \.html"),
     ("no/card.html", "there is no folder no"),
     ("dir.html", "is no regular file"), ("pets/card.html", "is inside the data set"),
     ("pets/cat/card.html", "is inside the data set"), ("link/card.html", "is inside the data set"),
     ("out/card.html", "is inside --output")],
)  # fmt: skip
def test_a_place_that_cannot_be_written_is_refused(tmp_path, monkeypatch, report, what):
    monkeypatch.chdir(tmp_path)
    for name in ("pets/cat", "dir.html", "out"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("pets")
    with pytest.raises(UserError, match=what):
        making.refuse(Path(report), "pets", tmp_path / "out")


def test_a_page_beside_the_data_is_fine_and_a_built_in_name_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    making.refuse(tmp_path / "card.html", "pets", None)
    making.refuse(tmp_path / "card.HTML", "t.csv", None)
    making.refuse(tmp_path / "digits" / "card.html", "digits", None)


def test_broken_files_are_written_and_their_error_goes_on(tmp_path):
    error = UnusableFilesError("1 of 2 files cannot be used", "replace it", [("/secret/pets/a.png", "cut short")], 2)
    with pytest.raises(UnusableFilesError) as raised, making.broken_files_written(tmp_path / "c.html", "/secret/pets/"):
        raise error
    assert raised.value is error
    text = (tmp_path / "c.html").read_text()
    assert "Data card: <bdi>pets</bdi>" in text
    assert "cut short" in text


def test_another_error_writes_nothing(tmp_path):
    with pytest.raises(UserError), making.broken_files_written(tmp_path / "c.html", "pets"):
        raise UserError("one class", "add another")
    assert list(tmp_path.iterdir()) == []
