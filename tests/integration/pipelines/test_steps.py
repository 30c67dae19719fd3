"""The whole pipeline on S3: each step as a process of its own, in the order of the graph."""

import csv
import io
import json
import os

import pytest
import smoke_data
import warm
from moto.server import ThreadedMotoServer

from image_classifier.pipelines.storage import Storage

ROOT = "s3://bucket/a-prefix"
CANARY = "canary-of-the-key"
AFTER_SETUP = {
    "preprocessing": ("data",),
    "feature_engineering": ("data",),
    "train": ("store",),
    "evaluate": ("store", "run"),
    "set_mining": ("store", "run"),
}
HANDED = {"setup": "data", "preprocessing": "data", "feature_engineering": "store", "train": "run"}


@pytest.fixture(scope="module")
def bucket():
    """A bucket with the three scopes' data, and the environment of a step that reaches it."""
    boto3 = pytest.importorskip("boto3")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://127.0.0.1:{1}".format(*server.get_host_and_port())
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": CANARY, "AWS_DEFAULT_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patched:
        for name, value in (keys | {"AWS_ENDPOINT_URL": address}).items():
            patched.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        for name, data in smoke_data.files().items():
            key = f"a-prefix/test_data/pipeline_input/smoke/{name}"
            client.put_object(Bucket="bucket", Key=key, Body=data)
        yield os.environ | {"PATH": f"{warm.commands()}{os.pathsep}{os.environ['PATH']}"}
    server.stop()


class Steps:
    """The steps of one pipeline run; `ended` are their finished processes by scope and step."""

    def __init__(self, folder, environment, run_id):
        self.folder, self.environment, self.ended = folder, environment, {}
        self.common = {"root": ROOT, "domain": "test_data", "use_case": "smoke", "run_type": "individual"}
        self.common["kf_run_id"] = run_id

    def __call__(self, step, outputs=(), **inputs):
        """What the step handed on, by name."""
        paths = {name: self.folder / f"{step}-{inputs.get('scope')}-{name}" for name in outputs}
        words = [f"--{name}={value}" for name, value in (self.common | inputs).items()]
        words += [f"--{name}_file={path}" for name, path in paths.items()]
        done = warm.run("step", step, *words, folder=self.folder, environment=self.environment)
        self.ended[inputs.get("scope"), step] = done
        return {name: path.read_text() for name, path in paths.items() if path.exists()}

    def scope(self, scope):
        """The steps of one scope, until one has no data or fails."""
        handed = self("setup", ("Output", "data"), scope=scope)
        for step, needed in AFTER_SETUP.items() if handed["Output"] == "ready" else ():
            given = {name: handed[name] for name in needed}
            handed |= self(step, [HANDED[step]] if step in HANDED else (), scope=scope, **given)
            if self.ended[scope, step].returncode:
                return

    def all(self, **last):
        """All steps, as the graph has them."""
        handed = self("setup_extraction", ("Output", "extract"), data_scopes=smoke_data.AS_A_TEXT)
        for scope in json.loads(handed["Output"]):
            self.scope(scope)
        self("gather", data_scopes=smoke_data.AS_A_TEXT, debug="no", **last)
        return self


@pytest.fixture(scope="module")
def storage(bucket):
    return Storage(ROOT, "test_data")


@pytest.fixture(scope="module")
def finished(bucket, storage, tmp_path_factory):
    """A pipeline run that has ended, beside the temporary files of another one."""
    storage.write(storage.path("pipeline_tmp", "other", "plan.json"), b"{}")
    return Steps(tmp_path_factory.mktemp("steps"), bucket, "first").all()


def rows(storage, name):
    data = storage.read(storage.path("pipeline_outputs", "smoke", "individual", "first", name))
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_the_scope_with_data_goes_through_every_step(finished):
    assert [step for scope, step in finished.ended if scope == "good"] == ["setup", *AFTER_SETUP]
    assert {key: done.returncode for key, done in finished.ended.items() if key[0] == "good" and done.returncode} == {}


def test_the_scope_whose_training_fails_ends_there_with_the_trainers_code_and_words(finished):
    assert [step for scope, step in finished.ended if scope == "bad"] == [
        *("setup", "preprocessing", "feature_engineering", "train"),
    ]
    done = finished.ended["bad", "train"]
    assert done.returncode == 2
    assert "error: linear_svm needs two training rows of each class" in done.stderr


def test_the_empty_scope_is_skipped_before_anything_is_trained(finished):
    assert [step for scope, step in finished.ended if scope == "empty"] == ["setup"]
    done = finished.ended["empty", "setup"]
    assert done.returncode == 0
    assert "empty is skipped" in done.stderr


def test_the_kpis_say_what_became_of_each_scope(finished, storage):
    found = {row["data_scope"]: row for row in rows(storage, "kpis.csv")}
    assert {scope: row["state"] for scope, row in found.items()} == {
        "good": "done",
        "empty": "skipped",
        "bad": "failed",
    }
    assert {row["run_id"] for row in found.values()} == {"smoke/good", "smoke/empty", "smoke/bad"}
    place = storage.path("pipeline_outputs", "smoke", "individual", "first", "runs", "good")
    metrics = storage.read_json(f"{place}/metrics.json")
    good = found["good"]
    assert (int(good["n"]), float(good["accuracy"])) == (metrics["n"], metrics["accuracy"])
    assert int(good["n"]) == smoke_data.ROWS * 0.15
    sets = storage.read_json(f"{place}/error_sets.json")
    assert good["nb_freq_sets"] == str(sets["nb_freq_sets"])
    assert {found[scope]["accuracy"] for scope in ("empty", "bad")} == {""}


def test_the_error_log_has_one_line_with_the_error_and_no_secret(finished, storage):
    (row,) = rows(storage, "error_logs.csv")
    assert (row["kf_run_id"], row["run_id"], row["pipeline_step"]) == ("first", "smoke/bad", "train")
    assert row["error_msg"].startswith("linear_svm needs two training rows of each class")
    assert CANARY not in "".join(done.stdout + done.stderr for done in finished.ended.values())


def test_only_the_run_that_was_trained_is_among_the_outputs(finished, storage):
    place = storage.path("pipeline_outputs", "smoke", "individual", "first")
    assert storage.names(f"{place}/runs") == ["good"]
    kept = set(storage.names(f"{place}/runs/good"))
    assert {"model.skops", "run.json", "metrics.png", "error_sets.csv", "error_sets.png", "evaluation.json"} <= kept
    assert storage.manifest(place).keys() == storage.listed(place).keys() - {"_MANIFEST.json"}


def test_the_run_is_red_and_cleans_up_its_own_files_alone(finished, storage):
    done = finished.ended[None, "gather"]
    assert done.returncode == 2
    assert "smoke/bad in train" in done.stderr
    assert storage.names(storage.path("pipeline_tmp")) == ["other"]
    assert storage.names(storage.path("pipeline_input", "smoke")) == ["bad", "empty", "good"]
    assert storage.read(storage.path("pipeline_outputs", "smoke", "latest.json")) is None


@pytest.mark.parametrize("text", ["", "unix://{folder}/no-daemon.sock"])
def test_a_run_here_is_refused_without_the_image_or_the_daemon(text, tmp_path):
    pytest.importorskip("kfp")
    if not text and not os.path.exists("/var/run/docker.sock"):
        pytest.skip("there is no docker daemon")
    environment = os.environ | ({"DOCKER_HOST": text.format(folder=tmp_path)} if text else {})
    words = ["--type", "run", "--root", tmp_path, "--domain", "test_data", "--image", "no-such-image"]
    done = warm.run("kubeflow", *words, folder=tmp_path, environment=environment)
    assert done.returncode == 2
    said = "is a Docker daemon running" if text else "there is no image no-such-image here"
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []
