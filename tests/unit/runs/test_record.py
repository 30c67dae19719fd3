"""Run folders: names that stay inside, records that are read back, and files that are counted."""

import dataclasses
import json
import os
import tempfile
from pathlib import Path

import pytest

from image_classifier import files, runs
from image_classifier.errors import UserError
from image_classifier.main import main
from image_classifier.settings.composition import compose

pytestmark = pytest.mark.unit

CONFIG = dataclasses.asdict(compose([], "cnn").config)


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


TIMES = {"started": "", "finished": "", "training_seconds": 1.5, "last_process_seconds": 2}
TRAINED = {"best_epoch": 1, "timing": TIMES}


def test_finishing_records_the_digest_of_every_result(tmp_path, made):
    run, names = made(tmp_path / "e" / "r", runs.UNFINISHED, **TRAINED), ["model.pth", *runs.RESULTS]
    for name in names:
        run.path(name).write_bytes(name.encode())
    done = runs.read(runs.finish(run).folder)
    assert done.finished
    assert done.record["files"] == {
        name: {"sha256": files.digest_bytes(name.encode()), "bytes": len(name)} for name in names
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda record: record.pop("files"), "files is missing"),
        (lambda record: record.pop("best_epoch"), "best_epoch is missing"),
        (lambda record: record["files"].pop("predictions.npz"), "files lacks a result"),
        (lambda record: record["files"].update({"../../secret": record["files"]["model.pth"]}), "../../secret"),
        (lambda record: record["card"].pop("versions"), "card.versions is missing"),
        (lambda record: record["card"].update(classes=["a", "a"]), "card.classes has fewer than two names"),
        (lambda record: record["card"].update(parent_sha256=5), "card.parent_sha256 is 5"),
        (lambda record: record["card"]["input"].update(mean=[0.1, 0.2]), "not one mean and std a channel"),
        (lambda record: record["card"]["input"].update(columns=[{"name": "a", "categories": None}]), "input.columns"),
        (lambda record: record["card"]["runtime"].update(num_threads=True), "card.runtime.num_threads is true"),
        (lambda record: record["card"]["runtime"].update(voltage=3), "only another version knows"),
        (lambda record: record["origins"].update(nothing={"kind": "file", "name": "x"}), "no setting"),
        (lambda record: record["timing"].update(training_seconds=float("nan")), "JSON compliant"),
        (lambda record: record.update(note=nested(60)), "levels deep"),
    ],
)  # fmt: skip
def test_a_record_that_lacks_or_contradicts_something_is_refused_by_its_name(tmp_path, made, change, told):
    record = json.loads(made(tmp_path / "e" / "r").path(runs.RECORD).read_text())
    change(record)
    (tmp_path / "e" / "r" / runs.RECORD).write_text(json.dumps(record))
    with pytest.raises(UserError) as caught:
        runs.read(tmp_path / "e" / "r")
    assert told in caught.value.what
    assert "run.json" in caught.value.what
    assert "restore" in caught.value.hint


def nested(levels):
    return [nested(levels - 1)] if levels else []


@pytest.mark.parametrize("text", ["", "[]", "5", "{}", "[" * 100_000])
def test_what_is_no_record_at_all_is_refused(tmp_path, text):
    (tmp_path / runs.RECORD).write_text(text)
    with pytest.raises(UserError, match=r"run\.json"):
        runs.read(tmp_path)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"voltage": 3}, "another version"),
        ({"num_epochs": 0}, "num_epochs must be"),
        ({"num_epochs": 2.5}, "num_epochs must be a whole number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"model": "net"}, "two values of model"),
    ],
)
def test_settings_that_no_training_had_are_refused(tmp_path, made, config, told):
    with pytest.raises(UserError, match=told):
        _ = made(tmp_path / "e" / "r", config=CONFIG | config).config


def test_a_record_with_more_than_this_version_knows_is_read(tmp_path, made):
    assert made(tmp_path / "e" / "r", more={"a": [1]}).record["more"] == {"a": [1]}
