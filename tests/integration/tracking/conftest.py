"""Runs to send, a real MLflow server to send them to, and a second way to read what arrived."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import warm

from image_classifier import load_run, tracking, train
from image_classifier.data.preparing import prepare
from image_classifier.data_card import keeping


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder with a finished run that was sent nowhere: a network of three epochs on the digits, with a data card."""
    folder = tmp_path_factory.mktemp("untracked")
    data = prepare("digits", image_size=None, split_seed=0, cache_folder=folder / "cache", quiet=True)
    keeping.keep("<!doctype html><title>The digits</title>", folder / "cache", data.digest)
    train(
        model="cnn", num_epochs=3, num_threads="1", dataset_folder="digits", experiment_name="e", run_name="r",
        experiments_folder=folder / "experiments", cache_folder=folder / "cache", tracking_uri="off",
        tags={"team": "a"},
    )  # fmt: skip
    return folder


@pytest.fixture
def run(finished, tmp_path):
    """A copy of that run, to be sent."""
    shutil.copytree(finished / "experiments", tmp_path / "experiments")
    return load_run("e/r", tmp_path / "experiments")


@pytest.fixture
def experiments(tmp_path):
    return tmp_path / "experiments"


@pytest.fixture
def new_store(experiments):
    """A SQLite store beside the runs that is not there yet."""
    return tracking.resolve(f"sqlite:///{experiments}/mlflow.db", experiments)


@pytest.fixture(scope="session")
def used_store(finished, tmp_path_factory):
    """A store that one run was sent to: making its tables takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    shutil.copytree(finished / "experiments/e", folder / "other/e")
    assert tracking.send(load_run(folder / "other/e/r"), tracking.resolve(f"sqlite:///{folder}/mlflow.db", folder))
    return folder / "mlflow.db"


@pytest.fixture
def where(new_store, run, used_store):
    """A SQLite store beside the runs in which another experiment is."""
    shutil.copy(used_store, new_store.store)
    with contextlib.closing(sqlite3.connect(new_store.store)) as database, database:
        database.execute("delete from tags where key = 'image_classifier.key'")
        database.execute("update experiments set name = 'before' where name = 'e'")
    return new_store


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until_it_answers(address, process):
    """Return when the address answers; fail when the process ends first, or after minutes."""
    for _ in range(1800):
        assert process.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError(f"{address} does not answer")


class MlflowServer:
    """A real MLflow server on a folder; `address` answers while it runs."""

    def __init__(self, folder, port=None):
        self.folder, self.port = Path(folder), port or unused_port()
        self.address = f"http://127.0.0.1:{self.port}"
        program = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        store = [
            "--backend-store-uri",
            f"sqlite:///{folder}/mlflow.db",
            "--artifacts-destination",
            f"{folder}/mlartifacts",
        ]
        environment = os.environ | {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONWARNINGS": "ignore",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        environment.pop("MLFLOW_TRACKING_URI", None)
        self.process = subprocess.Popen(
            [*program, *store, "--workers", "1"], cwd=folder, env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until_it_answers(f"{self.address}/health", self.process)

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def mlflow_server():
    """mlflow_server(folder, port) starts one that the test may stop."""
    with contextlib.ExitStack() as started:

        def start(folder, port=None):
            running = MlflowServer(folder, port)
            started.callback(running.stop)
            return running

        yield start


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One server for all tests that leave it running."""
    running = MlflowServer(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


class Rows:
    """An MLflow store read by SQL, without MLflow."""

    def __init__(self, file):
        assert Path(file).is_file()
        self.database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)

    def __call__(self, query, *values):
        return self.database.execute(query, values).fetchall()

    def runs(self):
        return dict(self("select name, run_uuid from runs where lifecycle_stage = 'active'"))

    def params(self, run):
        return dict(self("select key, value from params where run_uuid = ?", run))

    def tags(self, run):
        return dict(self("select key, value from tags where run_uuid = ?", run))

    def metrics(self, run):
        """{name: [(step, value), …]}, each point as often as it was logged."""
        found = {}
        query = "select key, step, value from metrics where run_uuid = ? order by key, step"
        for key, step, value in self(query, run):
            found.setdefault(key, []).append((step, value))
        return found


@pytest.fixture
def rows():
    return Rows


@pytest.fixture
def command():
    """command(folder, …) is `image_classifier …` as a finished process; environment by name."""

    def call(folder, *arguments, **environment):
        return warm.run("image_classifier", *arguments, folder=folder, environment=os.environ | environment)

    return call


@pytest.fixture
def record():
    """record(run) is its run.json as it is on disk."""
    return lambda run: json.loads((run.folder / "run.json").read_text())


@pytest.fixture
def free_port():
    """free_port() is one that nobody listens on."""
    return unused_port


@pytest.fixture
def wait_for():
    """wait_for(address, process) returns when the process serves it."""
    return until_it_answers
