"""The user's own table: where it comes from, that it stays as it is, and that a clone gets all there is."""

import hashlib
import json
import re
import socket
import subprocess
import time

import boto3
import numpy as np
import pytest

from .conftest import PROGRAMS

HERE = "examples/wine_quality"
RAW = f"{HERE}/data/raw/WineQT.csv"
MODELS = ["gradient_boosting", "logistic_regression", "random_forest"]
COLUMNS = (
    "fixed acidity,volatile acidity,citric acid,residual sugar,chlorides,free sulfur dioxide,total sulfur dioxide,"
    "density,pH,sulphates,alcohol,quality,Id"
)
KEYS = {"AWS_ACCESS_KEY_ID": "a-key", "AWS_SECRET_ACCESS_KEY": "a-word"}  # pragma: allowlist secret


def table(repository):
    """The published table if somebody has put it beside the repository, else one of its shape."""
    published = repository.parent / "shared" / "data" / "WineQT.csv"
    if published.is_file():
        return published.read_bytes()
    random = np.random.default_rng(0)
    rows = []
    for number in range(300):
        quality = int(random.choice([5, 6, 7]))
        measured = ",".join(f"{value:.3f}" for value in random.normal(quality, 1, 11))
        rows.append(f"{measured},{quality},{number}")
    return "\n".join([COLUMNS, *rows, ""]).encode()


def state(path):
    """All that could show that a file was touched."""
    about = path.lstat()
    return hashlib.sha256(path.read_bytes()).hexdigest(), about.st_mode, about.st_ino, about.st_mtime_ns, about.st_nlink


@pytest.fixture(scope="module")
def absent(make_project):
    return make_project("quality")


def test_an_absent_table_is_said_where_to_get(absent):
    done = absent.run("dvc", "repro", where=HERE, check=False)
    assert done.returncode != 0
    assert "error: the table data/raw/WineQT.csv was not found" in done.stderr
    assert "https://www.kaggle.com/datasets/yasserh/wine-quality-dataset" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def quality(absent, repository):
    """The table given to DVC, the pipeline run once, all of it committed."""
    raw = absent.folder / RAW
    content = table(repository)
    raw.write_bytes(content)
    mode = raw.stat().st_mode
    absent.dvc("add", "data/raw/WineQT.csv", where=HERE)
    assert (raw.read_bytes(), raw.lstat().st_mode, raw.stat().st_nlink) == (content, mode, 1)
    absent.before = state(raw)
    absent.ran = absent.repro("wine_quality")
    absent.names = absent.commit("wine")
    return absent


def test_it_goes_from_raw_data_to_telling(quality):
    ran, left, printed = quality.ran
    assert (ran, left) == (["prepare", "train", "evaluate", "notify"], [])
    assert "3 of 3 runs are finished" in printed
    assert quality.names == [f"{RAW}.dvc", f"{HERE}/dvc.lock"]


def test_raw_data_is_untouched(quality):
    assert state(quality.folder / RAW) == quality.before


def test_evaluating_leaves_the_chosen_run_in_short_and_every_class_of_all(quality):
    brief = json.loads((quality.folder / HERE / "metrics.json").read_text())
    detailed = json.loads((quality.folder / HERE / "reports/metrics_detailed.json").read_text())
    assert sorted(brief["runs"]) == sorted(detailed) == MODELS
    validated = {}
    for name in MODELS:
        own = json.loads((quality.folder / HERE / f"artifacts/wine_quality/{name}/metrics.json").read_text())
        validated[name] = (own["val"]["accuracy"], -own["val"]["loss"])
        assert detailed[name]["per_class"] == own["per_class"]
        assert brief["runs"][name] == {key: own[key] for key in own if key not in ("per_class", "val")}
    assert brief["chosen"] == max(validated, key=validated.get)
    assert brief["accuracy"] == brief["runs"][brief["chosen"]]["accuracy"]


def test_dvc_shows_the_figures_of_all_three(quality):
    (shown,) = json.loads(quality.dvc("metrics", "show", f"{HERE}/metrics.json", "--json"))[""]["data"].values()
    assert set(shown["data"]["runs"]) == set(MODELS)
    assert 0 < shown["data"]["accuracy"] < 1


def test_a_folder_beside_the_repository_is_where_results_go_by_default(quality):
    quality.dvc("push")
    assert any((quality.folder.parent / "image_classifier-dvc").rglob("*"))
    clone = quality.clone(quality.folder.parent / "beside")
    clone.dvc("pull", "--allow-missing")
    assert hashlib.sha256((clone.folder / RAW).read_bytes()).hexdigest() == quality.before[0]
    assert set(json.loads(clone.dvc("status", "dvc.yaml", "--json", where=HERE))) == {"notify"}


@pytest.fixture(scope="module")
def server():
    """The address of a local server that speaks S3, with an empty bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PROGRAMS / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        session = boto3.Session(*KEYS.values(), region_name="us-east-1")
        store = session.client("s3", endpoint_url=address)
        store.create_bucket(Bucket="experiments")
        yield address, store
        store.close()
    finally:
        process.terminate()
        process.wait()


def documented(repository, address):
    """The commands of docs/pipelines.md that set up a server, with this server's address."""
    text = (repository / "docs" / "pipelines.md").read_text()
    lines = re.findall(r"^    (dvc remote .*)$", text, flags=re.MULTILINE)
    assert len(lines) == 2
    return [line.replace("https://minio.example.org", address).split() for line in lines]


def test_results_go_to_an_s3_server_and_a_fresh_clone_has_nothing_to_do(repository, quality, server, tmp_path):
    address, store = server
    for command in documented(repository, address):
        quality.run(*command)
    quality.environment |= KEYS | {"AWS_DEFAULT_REGION": "us-east-1"}
    quality.commit("a server")
    quality.dvc("push")
    assert store.list_objects_v2(Bucket="experiments", Prefix="dvc/")["KeyCount"] > 10
    written = [path.read_text() for path in (quality.folder / ".dvc").glob("config*")]
    assert not any(secret in text for text in written for secret in KEYS.values()), "credentials come from outside"

    clone = quality.clone(tmp_path / "far away")
    clone.dvc("pull", "--allow-missing")
    assert (clone.folder / HERE / "artifacts/wine_quality/random_forest/model.skops").is_file()
    assert (clone.folder / HERE / "artifacts/store/store.json").is_file()
    assert clone.repro("wine_quality")[:2] == (["notify"], ["prepare", "train", "evaluate"])
    assert clone.run("git", "status", "--porcelain").stdout == ""


def test_a_changed_table_is_prepared_again(quality):
    path = quality.folder / RAW
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[-1], ""]))
    status = json.loads(quality.dvc("status", "dvc.yaml", "--json", where=HERE))
    assert {name for name, reasons in status.items() if reasons != ["always changed"]} == {"prepare"}
    quality.dvc("checkout", "--force", f"{RAW}.dvc")
    assert state(path)[0] == quality.before[0]
