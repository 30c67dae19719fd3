"""Run folders are found by name and by path, listed, and never outside their folder."""

import os
import tempfile
from pathlib import Path

import pytest

from image_classifier import runs
from image_classifier.errors import UserError
from image_classifier.main import main

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "a\\b", "/abs", "%2e%2e", "a%2fb", "-x", "_x", ".hidden", "a b", "a\n", "ä", "a\0b",
     "x" * 65, "$(id)", "`id`", "a;b", "~", "a*"],
)  # fmt: skip
def test_a_name_that_is_no_plain_folder_name_is_refused(tmp_path, name):
    for experiment, run in ((name, "r"), ("e", name)):
        with pytest.raises(UserError, match="not a valid name"):
            runs.locate(tmp_path, experiment, run)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a", "A1", "run_1", "run-1.2", "x" * 64, "0"])
def test_plain_names_are_accepted(tmp_path, name):
    assert runs.locate(tmp_path, name, name) == tmp_path / name / name


@pytest.mark.parametrize("level", ["experiment", "run"])
def test_a_link_that_leads_out_is_refused(tmp_path, level):
    outside, inside = tmp_path / "outside", tmp_path / "experiments"
    outside.mkdir()
    if level == "experiment":
        inside.mkdir()
        (inside / "e").symlink_to(outside)
    else:
        (inside / "e").mkdir(parents=True)
        (inside / "e" / "r").symlink_to(outside)
    with pytest.raises(UserError, match="leads out"):
        runs.locate(inside, "e", "r")
    assert list(outside.iterdir()) == []


def test_an_experiments_folder_that_is_itself_a_link_is_fine(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert runs.locate(tmp_path / "link", "e", "r") == tmp_path / "link" / "e" / "r"


def test_a_run_is_found_by_its_path_and_by_its_name(tmp_path, monkeypatch, made):
    made(tmp_path / "experiments" / "e" / "r")
    monkeypatch.chdir(tmp_path)
    for name in ("e/r", "experiments/e/r", str(tmp_path / "experiments/e/r")):
        assert runs.find(name, tmp_path / "experiments").name == "e/r"


def test_a_run_that_is_not_there_suggests_the_nearest(tmp_path, made):
    made(tmp_path / "e" / "first_run")
    with pytest.raises(UserError, match="is not a run") as caught:
        runs.find("e/first_rnu", tmp_path)
    assert "e/first_run" in caught.value.hint


@pytest.fixture
def guest(made):
    """A folder with the run e/r, seen by a user for whom permissions count, as they do not for root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made(folder / "e" / "r")
        user = os.geteuid()
        if user == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, 65534, -1)
            os.seteuid(65534)
        yield folder
        for path in (folder, folder / "e", folder / "e" / "r"):
            path.chmod(0o755)
        os.seteuid(user)


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o400])
def test_a_folder_of_runs_that_may_not_be_read_is_an_error(guest, mode, capsys):
    guest.chmod(mode)
    assert main(["runs", "--experiments_folder", str(guest)]) == 2
    shown = capsys.readouterr()
    assert (f"error: {guest} cannot be read" in shown.err, shown.out) == (True, "")


@pytest.mark.parametrize("closed", ["e", "e/r", "e/r/run.json"])
def test_what_may_not_be_read_among_the_runs_is_named(guest, made, closed, caplog):
    made(guest / "f" / "r")
    (guest / closed).chmod(0)
    assert [run.name for run in runs.listing(guest)] == ["f/r"]
    assert f"{guest / closed}" in caplog.text
    assert "cannot be read" in caplog.text


def test_what_is_no_run_is_not_listed(tmp_path, made):
    made(tmp_path / "e" / "r")
    (tmp_path / "e" / "empty").mkdir()
    (tmp_path / "mlflow.db").touch()
    (tmp_path / "e" / "gone").symlink_to("nowhere")
    assert [run.name for run in runs.listing(tmp_path)] == ["e/r"]
    assert runs.listing(tmp_path / "missing") == []


def test_an_unfinished_run_is_refused_with_the_way_to_finish_it(tmp_path, made):
    made(tmp_path / "e" / "r", runs.UNFINISHED)
    with pytest.raises(UserError, match="not finished") as caught:
        runs.find("e/r", tmp_path)
    assert "--resume" in caught.value.hint


def test_the_members_of_an_experiment_are_its_runs_by_name(tmp_path, monkeypatch, made):
    for name in ("b", "a"):
        made(tmp_path / "runs" / "e" / name)
    (tmp_path / "runs" / "e" / "sweep.json").write_text("{}")
    assert [each.name for each in runs.members("e", tmp_path / "runs")] == ["e/a", "e/b"]
    monkeypatch.chdir(tmp_path)
    assert [each.name for each in runs.members("runs/e", tmp_path / "elsewhere")] == ["e/a", "e/b"]


@pytest.mark.parametrize("name", ["e/a", "none", "runs", "e/a/../../.."])
def test_what_is_no_experiment_has_no_members(tmp_path, monkeypatch, name, made):
    made(tmp_path / "runs" / "e" / "a")
    monkeypatch.chdir(tmp_path)
    assert runs.members(name, tmp_path / "runs") == []


def test_an_experiment_with_an_unfinished_run_is_refused(tmp_path, made):
    made(tmp_path / "e" / "a")
    made(tmp_path / "e" / "b", runs.UNFINISHED)
    with pytest.raises(UserError, match="e/b is not finished"):
        runs.members("e", tmp_path)


def test_a_broken_record_does_not_hide_the_other_runs(tmp_path, caplog, made):
    made(tmp_path / "e" / "good")
    (tmp_path / "e" / "bad").mkdir()
    (tmp_path / "e" / "bad" / "run.json").write_text("{")
    assert [run.name for run in runs.listing(tmp_path)] == ["e/good"]
    assert "bad" in caplog.text


def test_a_folder_with_other_things_is_not_taken_for_a_run(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="is not a run"):
        runs.exists(tmp_path)
    (tmp_path / "empty").mkdir()
    assert not runs.exists(tmp_path / "empty")
