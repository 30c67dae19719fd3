"""A run goes on as what it began as, or is refused; another process may be at the same run at any moment."""

import json
import shutil
import threading

import pytest

from image_classifier import files, runs, tracking
from image_classifier.errors import UserError
from image_classifier.settings.layers import CODE, Layer
from image_classifier.tracking import mirroring
from image_classifier.training.checkpoint import NEWEST
from image_classifier.training.plan import plan
from image_classifier.training.train import TrainingRequest, train

pytestmark = pytest.mark.integration

TINY = {"model": "dense", "num_epochs": "2", "num_threads": "1", "seed": "5", "val_fraction": "0.2"}


class BrokenOffError(Exception):
    """What ends a training after its first epoch."""


def layers(dataset=None, **values):
    return [Layer(CODE, {**values, **({"dataset_folder": str(dataset)} if dataset else {})})]


def request(folder, given, name="r", **more):
    return TrainingRequest("e", name, given, folder / "experiments", folder / "cache", **more)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with tables, and with the runs e/r and e/seed, each after one epoch of two."""
    folder = tmp_path_factory.mktemp("begun")
    rows = [f"{number % 7},{number % 3},{'ab'[number % 2]}" for number in range(60)]
    for name, some in (("table.csv", rows), ("other.csv", rows[:40])):
        (folder / name).write_text("\n".join(["x,y,class", *some]))
    shutil.copy(folder / "table.csv", folder / "moved.csv")

    def break_off(_):
        raise BrokenOffError

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tracking.Mirror, "update", break_off)
        patched.setattr("image_classifier.training.train._SECONDS_BETWEEN_CHECKPOINTS", 0)
        for name, other in (("r", {}), ("seed", {"seed": "6"})):
            given = layers(folder / "table.csv", target_column="class", **TINY | other)
            with pytest.raises(BrokenOffError):
                train(request(folder, given, name))
    return folder


@pytest.fixture(scope="module")
def finished(begun, tmp_path_factory):
    """The same folder with e/r finished, after its copy went on elsewhere."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(begun, folder, dirs_exist_ok=True)
    done, _ = train(request(folder, [], resume=True))
    assert done.finished
    return folder


@pytest.fixture
def copied(begun, tmp_path):
    """Unfinished runs that a test may go on with."""
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    return tmp_path


OTHERS = [
    ({"model": "sprint"}, "model dense and not with sprint"),
    ({"seed": "0"}, "seed 5 and not with 0"),
    ({"val_fraction": 0.1}, "val_fraction 0.2 and not with 0.1"),
    ({"learning_rate": "0.5"}, "learning_rate .* and not with 0.5"),
    ({"target_column": "x"}, "target_column class and not with x"),
    ({"class_weights": "balanced"}, "class_weights none and not with balanced"),
]


@pytest.mark.parametrize(("given", "words"), OTHERS, ids=lambda value: next(iter(value), ""))
@pytest.mark.parametrize("state", ["begun", "finished"])
def test_a_setting_that_a_run_did_not_begin_with_is_refused_by_its_name(state, given, words, begun, finished):
    folder = begun if state == "begun" else finished
    before = {path.name: path.read_bytes() for path in (folder / "experiments/e/r").iterdir()}
    with pytest.raises(UserError, match=f"e/r was begun with {words}"):
        train(request(folder, layers(**given), resume=True))
    assert {path.name: path.read_bytes() for path in (folder / "experiments/e/r").iterdir()} == before


@pytest.mark.parametrize("dataset", ["other.csv", "digits", "nowhere.csv", "moved.csv"])
def test_a_finished_run_has_no_figures_for_other_data(finished, dataset):
    asked = dataset if dataset == "digits" else finished / dataset
    with pytest.raises(UserError, match=r"begun with dataset_folder .*table.csv and not with "):
        train(request(finished, layers(asked), resume=True))


def test_an_unfinished_run_goes_on_with_the_same_data_in_another_place_and_with_no_other(copied, finished):
    with pytest.raises(UserError, match=r"begun with dataset_folder .*table.csv, and the data in .*other.csv is not"):
        train(request(copied, layers(copied / "other.csv"), resume=True))
    done, _ = train(request(copied, layers(copied / "moved.csv"), resume=True))
    assert (done.folder / "model.pth").read_bytes() == (finished / "experiments/e/r/model.pth").read_bytes()


@pytest.mark.parametrize("given", [{}, TINY, {"num_workers": "0", "checkpoint_minutes": "1"}])
def test_a_finished_run_is_there_at_once_with_the_same_settings(finished, given, monkeypatch):
    monkeypatch.setattr("image_classifier.training.train.plan", None)  # whatever takes long is in it
    monkeypatch.chdir(finished)
    begun_with = runs.read(finished / "experiments/e/r").record["dataset_folder"]
    for dataset in (None, begun_with, f"{begun_with.rpartition('/')[0]}/./table.csv"):
        done, sent = train(request(finished, layers(dataset, **given), resume=True))
        assert done.finished
        assert sent


def test_a_run_that_was_moved_or_copied_goes_on_to_the_same_bits(copied, finished):
    shutil.copytree(copied / "experiments/e/r", copied / "experiments/e/copy")
    (copied / "experiments/e/r").rename(copied / "experiments/e/renamed")
    for name in ("copy", "renamed"):
        done, _ = train(request(copied, [], name, resume=True))
        assert (done.folder / "model.pth").read_bytes() == (finished / "experiments/e/r/model.pth").read_bytes()


@pytest.mark.parametrize("as_newest", [True, False])
def test_the_checkpoint_of_another_run_is_refused(copied, as_newest):
    folder = copied / "experiments/e/r"
    name = NEWEST if as_newest else "checkpoint_previous.pth"
    (folder / NEWEST).unlink()
    shutil.copy(copied / "experiments/e/seed" / NEWEST, folder / name)
    with pytest.raises(UserError, match=f"e/r/{name} is a checkpoint of another run"):
        train(request(copied, [], resume=True))
    (folder / name).unlink()
    assert train(request(copied, [], resume=True))[0].finished, "the hint works"


def test_a_record_that_was_changed_by_hand_does_not_fit_its_checkpoint(copied):
    path = copied / "experiments/e/r/run.json"
    record = json.loads(path.read_text())
    record["config"]["seed"] = 6
    record["card"]["settings"]["seed"] = 6
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match="another run"):
        train(request(copied, [], resume=True))


@pytest.mark.parametrize("by_then", ["unfinished", "finished", "taken"])
def test_a_run_that_another_process_begins_meanwhile_is_not_gone_on_with_by_another_plan(
    begun, finished, tmp_path, monkeypatch, by_then
):
    """The other process comes after the plan was made for a run that is not there, and before its lock is taken."""
    there = finished if by_then == "finished" else begun

    def slow(*arguments):
        made = plan(*arguments)
        if not (tmp_path / "experiments").exists():
            shutil.copytree(there / "experiments/e/r", tmp_path / "experiments/e/r")
        return made

    monkeypatch.setattr("image_classifier.training.train.plan", slow)
    given = layers(begun / "table.csv", model="dense", num_threads="1", target_column="class")
    if by_then == "taken":
        with pytest.raises(UserError, match="exists and is unfinished"):
            train(request(tmp_path, given))
        return
    done, _ = train(request(tmp_path, given, resume=True))
    assert (done.config.seed, done.config.num_epochs) == (5, 2)
    assert (done.folder / "model.pth").read_bytes() == (finished / "experiments/e/r/model.pth").read_bytes()


def test_nothing_of_tracking_is_written_while_another_holds_the_runs_lock(finished, tmp_path):
    """As when `evaluate` writes the record anew while a sweep or a training sends the run."""
    folder = shutil.copytree(finished / "experiments/e/r", tmp_path / "e/r")
    run, where = runs.read(folder), tracking.resolve("http://127.0.0.1:9", tmp_path)
    sender = threading.Thread(target=mirroring.send, args=(run, where, "a parent"))
    with files.lock(folder, "busy"):
        before = (folder / "run.json").read_bytes()
        sender.start()
        sender.join(0.3)
        assert (folder / "run.json").read_bytes() == before
        runs.write_record(runs.Run(folder, {**run.record, "tags": {"by": "the other"}}))
    sender.join()
    record = runs.read(folder).record
    assert record["tracking"]["parent"] == "a parent"
    assert record["tags"] == {"by": "the other"}
