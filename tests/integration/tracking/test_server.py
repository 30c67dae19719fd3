"""A run and a real MLflow server: up, down, dying, refusing, hanging. The run is always kept."""

import http.server
import json
import shutil
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest

from image_classifier import load_run, runs, tracking, train
from image_classifier.runs import Run
from image_classifier.tracking import mirroring

SECRET = "s3cret-word"  # noqa: S105  # pragma: allowlist secret


def ask(server, path, **body):
    """The server's own answer, without MLflow's client."""
    request = urllib.request.Request(
        f"{server.address}/api/2.0/mlflow/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def held(server, run_id):
    with urllib.request.urlopen(f"{server.address}/api/2.0/mlflow/runs/get?run_id={run_id}", timeout=30) as answer:
        return json.load(answer)["run"]


def at(where, run):
    """The run's id on a server, by its run.json."""
    return json.loads((run.folder / "run.json").read_text())["tracking"]["runs"][where.shown]


@pytest.fixture
def where(server, experiments):
    return tracking.resolve(server.address, experiments)


def test_a_server_gets_figures_and_files(run, where, server):
    assert tracking.send(run, where)
    run_id = at(where, run)
    found = held(server, run_id)
    assert found["info"]["status"] == "FINISHED"
    figures = {one["key"]: one["value"] for one in found["data"]["metrics"]}
    assert figures["accuracy"] == run.metrics()["accuracy"]
    experiment = found["info"]["experiment_id"]
    page = f"{server.address}/#/experiments/{experiment}/runs/{run_id}"
    assert load_run(run.folder).record["tracking"]["pages"] == {where.shown: page}
    there = server.folder / "mlartifacts" / experiment / run_id / "artifacts"
    for path in run.folder.iterdir():
        assert (there / path.name).read_bytes() == path.read_bytes(), path.name
    assert tracking.send(Run(run.folder, {**run.record}), where)
    history = urllib.request.urlopen(
        f"{server.address}/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key=train_loss", timeout=30
    )
    assert len(json.load(history)["metrics"]) == 3


def test_the_command_line_sends_while_the_server_is_up_and_exits_with_4_while_it_is_down(
    run, experiments, mlflow_server, free_port, command, tmp_path
):
    port = free_port()
    uri = f"http://me:{SECRET}@127.0.0.1:{port}"
    again = [
        "train", "--experiment_name", "e", "--run_name", "new", "--dataset_folder", "wine", "--model", "naive_bayes",
        "--cache_folder", "cache", "--tracking_uri", uri, "--tag", "why=test",
    ]  # fmt: skip
    down = command(tmp_path, *again)
    assert down.returncode == 4, down.stderr
    assert "error: e/new is complete, but was not sent" in down.stderr
    assert " hint: image_classifier track experiments/e/new sends it" in down.stderr
    assert "accuracy" in down.stdout
    assert runs.read(experiments / "e/new").finished
    assert SECRET not in down.stderr + down.stdout + (experiments / "e/new/run.json").read_text()

    refused = command(tmp_path, "track", "e/new", "--tracking_uri", uri)
    assert refused.returncode == 4
    assert "was not sent" in refused.stderr
    assert SECRET not in refused.stderr + refused.stdout

    server = mlflow_server(tmp_path, port)
    sent = command(tmp_path, "track", "e/new", MLFLOW_TRACKING_URI=uri)
    assert (sent.returncode, sent.stderr) == (0, "")
    assert sent.stdout.strip() == f"e/new is on http://***@127.0.0.1:{server.port}"
    found = ask(server, "runs/search", experiment_ids=["1"])["runs"]
    assert [one["info"]["run_name"] for one in found] == ["new"]
    tags = {one["key"]: one["value"] for one in found[0]["data"]["tags"]}
    assert tags["why"] == "test"
    assert SECRET not in json.dumps(found)


def test_a_run_is_seen_while_it_goes_and_outlives_its_server(mlflow_server, rows, tmp_path, monkeypatch, caplog):
    server = mlflow_server(tmp_path)
    seen = []
    update = tracking.Mirror.update

    def dying(mirror):
        update(mirror)
        if not seen:
            found = ask(server, "runs/search", experiment_ids=["1"])["runs"]
            seen.extend((one["info"]["run_name"], one["info"]["status"]) for one in found)
            server.stop()

    monkeypatch.setattr(mirroring, "_SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(tracking.Mirror, "update", dying)
    done = train(
        model="cnn", num_epochs=3, num_threads="1", dataset_folder="digits", experiment_name="e", run_name="r",
        experiments_folder=tmp_path / "runs", cache_folder=tmp_path / "cache", tracking_uri=server.address,
    )  # fmt: skip
    assert seen == [("r", "RUNNING")]
    assert done.finished
    assert "was not sent" in caplog.text
    run_id = at(tracking.resolve(server.address, tmp_path), done)
    assert [step for step, _ in rows(tmp_path / "mlflow.db").metrics(run_id)["train_loss"]] == [1]

    assert tracking.send(load_run(done.folder), tracking.resolve(f"sqlite:///{tmp_path}/mlflow.db", tmp_path))
    store = rows(tmp_path / "mlflow.db")
    assert store.runs() == {"r": run_id}
    assert store("select status from runs") == [("FINISHED",)]
    assert [step for step, _ in store.metrics(run_id)["train_loss"]] == [1, 2, 3]


def test_a_run_that_breaks_off_is_failed_there_and_goes_on_when_it_is_resumed(where, server, tmp_path, monkeypatch):
    monkeypatch.setattr(mirroring, "_SECONDS_BETWEEN", 0.0)
    update = tracking.Mirror.update

    def break_off(mirror):
        update(mirror)
        raise KeyboardInterrupt

    how = {
        "model": "cnn", "num_epochs": 3, "num_threads": "1", "dataset_folder": "digits",
        "experiment_name": "broken", "run_name": "r", "experiments_folder": tmp_path,
        "cache_folder": tmp_path / "cache",
        "tracking_uri": server.address,
    }  # fmt: skip
    monkeypatch.setattr(tracking.Mirror, "update", break_off)
    with pytest.raises(KeyboardInterrupt):
        train(**how)
    broken = runs.read(tmp_path / "broken/r")
    assert held(server, at(where, broken))["info"]["status"] == "KILLED"
    monkeypatch.setattr(tracking.Mirror, "update", update)
    done = train(**how, resume=True)
    found = held(server, at(where, broken))
    assert at(where, done) == at(where, broken)
    assert found["info"]["status"] == "FINISHED"
    figures = {one["key"]: one for one in found["data"]["metrics"]}
    assert (figures["train_loss"]["step"], figures["accuracy"]["value"]) == (3, done.metrics()["accuracy"])


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers every request with the server's `status` and `body`, or not at all."""

    def do_GET(self):
        if self.server.status is None:
            self.server.released.wait(60)
            return
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


class Forwarding(http.server.BaseHTTPRequestHandler):
    """A proxy that knows one server, `behind`, whatever host it is asked for."""

    def do_GET(self):
        asked = urllib.parse.urlsplit(self.path)
        self.server.hosts.add(asked.hostname)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = {"Content-Type": self.headers.get("Content-Type") or "application/octet-stream"}
        path = urllib.parse.urlunsplit(("", "", asked.path, asked.query, ""))
        request = urllib.request.Request(f"{self.server.behind}{path}", content or None, kind, method=self.command)
        try:
            answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30)
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            self.send_response(answer.status)
            self.end_headers()
            self.wfile.write(answer.read())

    do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


def test_a_server_behind_a_proxy_that_alone_knows_its_name_gets_the_run(run, experiments, server, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    where = tracking.resolve("http://mlflow.invalid:5000", experiments)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forwarding) as proxy:
        proxy.behind, proxy.hosts = server.address, set()
        threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        sent = tracking.send(run, where)
        proxy.shutdown()
    assert sent
    assert proxy.hosts == {"mlflow.invalid"}
    assert held(server, at(where, run))["info"]["status"] == "FINISHED"


@pytest.fixture
def refusing():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    server.released = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b"who are you"),
        (403, b'{"message": "not for http://me:s3cret-word@host"}'),  # pragma: allowlist secret
        (500, b"broken"),
        (200, b"<html>a page of somebody else</html>"),
        (404, b""),
        (None, b""),
    ],
)
def test_a_server_that_refuses_or_hangs_costs_a_warning(run, experiments, refusing, status, body, monkeypatch, caplog):
    refusing.status, refusing.body = status, body
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    where = tracking.resolve(f"http://me:{SECRET}@127.0.0.1:{refusing.server_port}", experiments)
    assert tracking.send(run, where) is False
    assert "e/r was not sent to http://***@127.0.0.1" in caplog.text
    assert SECRET not in caplog.text
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before


@pytest.mark.parametrize("damage", ["text", "folder", "read only"])
def test_a_store_that_cannot_be_used_costs_a_warning(run, experiments, damage, caplog):
    store = experiments / "mlflow.db"
    if damage == "text":
        store.write_text("not a database, but longer than its header would be " * 3)
    else:
        store.mkdir()
    where = tracking.resolve(f"sqlite:///{store if damage != 'read only' else '/proc/mlflow.db'}", experiments)
    assert tracking.send(run, where) is False
    assert "was not sent to sqlite:" in caplog.text
    assert load_run(run.folder).finished


def test_an_experiment_that_was_deleted_there_is_named_with_what_to_do(run, where, server, caplog, experiments):
    moved = Run(shutil.copytree(run.folder, experiments / "gone" / "r"), {**run.record, "tracking": {"key": "k"}})
    assert tracking.send(moved, where)
    experiment = held(server, at(where, moved))["info"]["experiment_id"]
    ask(server, "experiments/delete", experiment_id=experiment)
    assert tracking.send(Run(moved.folder, {**moved.record}), where) is False
    assert "experiment gone is deleted there; restore it" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--tracking_uri", "mlruns"], "is not the address of a tracking server"),
        (["train", "--tag", "x"], "--tag x is not a tag"),
        (["train", "--tag", "commit=x"], "set by the program"),
        (["train", "--tracking_url", "x"], "did you mean --tracking_uri?"),
        (["train", "--experiment_name", "mlartifacts"], "is what tracking keeps its files under"),
    ],
)
def test_a_flag_that_is_wrong_is_refused_before_anything_is_written(command, tmp_path, arguments, said):
    stage, *wrong = arguments
    done = command(tmp_path, stage, "--experiment_name", "e", "--run_name", "r", "--dataset_folder", "wine", *wrong)
    assert done.returncode == 2
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["e/r"], "tracking is off"),  # as the tests' environment says
        (["e/r", "--tracking_uri", "off"], "tracking is off"),
        (["e/s", "--tracking_uri", "sqlite:///x.db"], "did you mean e/r?"),
        (["e/r", "--tag", "a=b"], "is not a flag"),
    ],
)
def test_track_refuses_what_it_cannot_do(run, command, tmp_path, arguments, said):
    done = command(tmp_path, "track", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
