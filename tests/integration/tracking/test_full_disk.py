"""A SQLite store that is begun on a full disk: nothing of it stays, and what an earlier version left is made anew."""

import contextlib
import resource
import sqlite3

import pytest
from mlflow.store.db import utils
from sqlalchemy.exc import OperationalError

from image_classifier import runs, tracking


@contextlib.contextmanager
def full_disk():
    """Within, no file grows beyond what the beginning of a schema takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_store_begun_on_a_full_disk_leaves_nothing_and_is_made_when_there_is_space(
    run, new_store, experiments, rows, caplog
):
    before = sorted(experiments.iterdir())
    with full_disk():
        assert tracking.send(run, new_store) is False
    assert "disk" in caplog.text.partition("was not sent")[2]
    assert sorted(experiments.iterdir()) == [*before, experiments / "mlartifacts"], "whose lock a sender holds"

    engine = utils.create_sqlalchemy_engine(new_store.uri)
    with full_disk(), pytest.raises(OperationalError, match="disk"):
        utils._initialize_tables(engine)  # as MLflow itself makes a store, in its place
    engine.dispose()
    with contextlib.closing(sqlite3.connect(new_store.store)) as database:
        assert database.execute("select count(*) from sqlite_master where name = 'experiments'").fetchone() == (1,)

    assert tracking.send(runs.read(run.folder), new_store)
    assert rows(new_store.store).runs().keys() == {"r"}
    assert {path.name for path in experiments.iterdir()} == {"e", "mlflow.db", "mlartifacts"}
