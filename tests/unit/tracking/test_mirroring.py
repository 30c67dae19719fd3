"""A run's mirror says of a run only what this process did to it."""

import threading

import pytest

from image_classifier import files, runs, tracking
from image_classifier.errors import UserError
from image_classifier.tracking import mirroring

pytestmark = pytest.mark.unit


@pytest.fixture
def sent(tmp_path, made):
    """An unfinished run that a server, which is not there, knows by an id; and that server."""
    where = tracking.resolve("http://127.0.0.1:9", tmp_path)
    run = made(tmp_path / "e" / "r", runs.UNFINISHED, tracking={"key": "k", "runs": {where.shown: "id"}})
    return run, where


@pytest.mark.parametrize("begun", [True, False])
def test_a_process_that_is_refused_does_not_call_anothers_run_failed(sent, caplog, begun):
    run, where = sent

    def refused():
        with tracking.mlflow_run(where, run.folder) as mirror:
            if begun:
                mirror.begin()
            raise UserError("in use")

    with pytest.raises(UserError, match="in use"):
        refused()
    assert ("e/r was not sent to" in caplog.text) is begun


def test_a_store_in_a_folder_whose_lock_another_holds_can_be_written_to(tmp_path):
    """As a sweep holds its folder's lock while its workers send their runs."""
    where = tracking.resolve(f"sqlite:///{tmp_path}/mlflow.db", tmp_path)
    written = []

    def write():
        with mirroring._alone(where):
            written.append(where)

    worker = threading.Thread(target=write, daemon=True)
    with files.lock(tmp_path, "busy"):
        worker.start()
        worker.join(5)
        assert written == [where]
