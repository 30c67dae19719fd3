"""Mine writes a run's error sets again, says what they are, and refuses other data."""

import shutil

import pytest

from image_classifier import files, runs
from image_classifier.main import main

pytestmark = pytest.mark.unit


@pytest.fixture
def mine(trained, cache, tmp_path, capsys):
    """mine(*words) is the exit code of the command on a copy of the finished run, and what it printed."""
    shutil.copytree(trained.folder, tmp_path / "e" / "r")

    def give(*words):
        capsys.readouterr()
        folders = ("--experiments_folder", tmp_path, "--cache_folder", cache)
        code = main(["mine", *map(str, words or ("e/r",)), *map(str, folders)])
        return (code, *capsys.readouterr())

    return give


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_files_are_written_again_to_the_byte_and_the_record_stays_as_it_was(mine, tmp_path):
    before = content(tmp_path / "e" / "r")
    for name in runs.MINED:
        (tmp_path / "e" / "r" / name).unlink()
    code, printed, said = mine()
    assert (code, said) == (0, "")
    assert printed == ("error sets  none: no group of 50 or more has anything in common\n")
    assert content(tmp_path / "e" / "r") == before


def test_a_run_of_an_earlier_version_gets_error_sets(mine, tmp_path, trained):
    folder = tmp_path / "e" / "r"
    earlier = {name: each for name, each in trained.record["files"].items() if name not in runs.MINED}
    for name in runs.MINED:
        (folder / name).unlink()
    files.write_json(folder / runs.RECORD, {**trained.record, "files": earlier})
    assert runs.read(folder).error_sets() is None
    assert mine()[0] == 0
    assert runs.read(folder).error_sets() == trained.error_sets()
    assert runs.read(folder).record["files"] == trained.record["files"]


def test_data_of_another_digest_is_refused_and_nothing_is_changed(mine, tmp_path, trained):
    folder = tmp_path / "e" / "r"
    card = {**trained.record["card"], "dataset_digest": "1" * 64}
    files.write_json(folder / runs.RECORD, {**trained.record, "card": card})
    before = content(folder)
    code, printed, said = mine("e/r", "--dataset_folder", "wine")
    assert (code, printed) == (2, "")
    assert "error: wine is not the data of e/r: as many test rows of each class as before; the store" in said
    assert " hint: error sets are those of the run's own test examples: give its own data\n" in said
    assert mine()[0] == 2
    assert content(folder) == before


def test_data_that_the_run_cannot_read_is_refused_with_the_reason(mine):
    code, printed, said = mine("e/r", "--dataset_folder", "digits")
    assert (code, printed) == (2, "")
    assert "e/r cannot be measured on digits: it holds images, and the run reads rows" in said


def test_answers_that_cannot_be_read_are_refused_and_nothing_is_changed(mine, tmp_path):
    folder = tmp_path / "e" / "r"
    (folder / "predictions.npz").write_bytes(b"PK")
    before = content(folder)
    code, printed, said = mine()
    assert (code, printed) == (2, "")
    assert "predictions.npz cannot be read" in said
    assert f"image_classifier evaluate {folder} writes it again" in said
    assert content(folder) == before


def test_a_run_that_is_not_there_or_not_finished_is_refused(mine, tmp_path, trained):
    code, _, said = mine("e/rr")
    assert code == 2
    assert "error: e/rr is not a run\n hint: did you mean e/r?\n" in said
    begun = {name: value for name, value in trained.record.items() if name not in ("files", "best_epoch")}
    files.write_json(tmp_path / "e" / "begun" / runs.RECORD, begun | {"status": runs.UNFINISHED})
    code, _, said = mine("e/begun")
    assert code == 2
    assert "e/begun is not finished" in said
    assert "--resume goes on with it" in said
    assert mine("--voltage", "e/r")[0] == 2


def test_a_run_in_use_is_left_alone(mine, tmp_path):
    with files.lock(tmp_path / "e" / "r"):
        code, printed, said = mine()
    assert (code, printed) == (2, "")
    assert "is in use by another process" in said
