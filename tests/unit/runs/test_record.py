"""Run folders: names that stay inside, records that are read back, and files that are counted."""

import dataclasses
import json

import pytest

from image_classifier import files, runs
from image_classifier.errors import UserError
from image_classifier.settings.composition import compose

pytestmark = pytest.mark.unit

CONFIG = dataclasses.asdict(compose([], "cnn").config)


TIMES = {"started": "", "finished": "", "training_seconds": 1.5, "last_process_seconds": 2}
TRAINED = {"best_epoch": 1, "timing": TIMES}


def test_finishing_records_the_digest_of_every_result(tmp_path, made):
    run, names = made(tmp_path / "e" / "r", runs.UNFINISHED, **TRAINED), ["model.pth", *runs.RESULTS, *runs.MINED]
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
