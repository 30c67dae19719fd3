"""What is copied from a bucket and into one around an extraction, on a local S3 server."""

import json
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import parquet

from image_classifier.errors import UserError
from image_classifier.pipelines.bucket import on_this_disk
from image_classifier.pipelines.extraction_request import parsed


@pytest.fixture(scope="module")
def server():
    """The address of a server with the bucket `flowers`."""
    running = ThreadedMotoServer("127.0.0.1", 0)
    running.start()
    yield "http://{}:{}".format(*running.get_host_and_port())
    running.stop()


@pytest.fixture
def store(server, monkeypatch):
    """The bucket, empty, where the program looks for it."""
    names = {"AWS_ENDPOINT_URL": server, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    for name, value in (names | {"AWS_DEFAULT_REGION": "us-east-1"}).items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="flowers")
    yield client
    for each in listed(client):
        client.delete_object(Bucket="flowers", Key=each)
    client.close()


def listed(client):
    return [each["Key"] for each in client.list_objects_v2(Bucket="flowers").get("Contents", [])]


def request(source, output, *more):
    words = ["--source", str(source), "--output", str(output), "--scope_column", "site", "--scopes", '["a", "b"]']
    return parsed([*words, *more])


def extract(here):
    """Writes as an extraction does: scope `a` has rows, `b` has none."""
    for scope, names in (("a", ("part-0.parquet", "part-1.parquet", "_SUCCESS")), ("b", ("_SUCCESS",))):
        for name in names:
            path = here / scope / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode() if name != "_SUCCESS" else b"")
    (here / "extraction.json").write_text(json.dumps({"rows": {"a": 2, "b": 0}}))


def test_what_is_written_here_is_put_into_the_bucket(store, tmp_path):
    asked = request(tmp_path, "s3://flowers/out")
    with on_this_disk(asked) as here:
        assert here.source == str(tmp_path)
        extract(Path(here.output))
        assert listed(store) == []
    assert listed(store) == [
        "out/a/_SUCCESS", "out/a/part-0.parquet", "out/a/part-1.parquet", "out/b/_SUCCESS", "out/extraction.json",
    ]  # fmt: skip
    assert not Path(here.output).exists()
    with pytest.raises(UserError, match="extracted already: a, b"), on_this_disk(asked):
        pass
    store.put_object(Bucket="flowers", Key="out/a/part-9.parquet", Body=b"old")
    with on_this_disk(request(tmp_path, "s3://flowers/out", "--replace")) as here:
        extract(Path(here.output))
    assert "out/a/part-9.parquet" not in listed(store)


def test_an_extraction_that_fails_puts_nothing_there(store, tmp_path):
    with pytest.raises(UserError, match="no"), on_this_disk(request(tmp_path, "s3://flowers/out")):
        raise UserError("no")
    assert listed(store) == []


def test_parquet_in_a_bucket_is_read_from_this_disk(store, tmp_path):
    parquet.write_table(pa.table({"site": ["a"]}), tmp_path / "x.parquet")
    for name in ("in/2026/x.parquet", "in/y.parquet", "in/_SUCCESS"):
        store.upload_file(str(tmp_path / "x.parquet"), "flowers", name)
    with on_this_disk(request("s3://flowers/in", tmp_path / "out")) as here:
        assert parquet.read_table(here.source).to_pydict() == {"site": ["a", "a"]}
        assert here.output == str(tmp_path / "out")


def test_a_bucket_that_is_not_there_or_is_empty_is_an_error_with_a_hint(store, tmp_path):
    with pytest.raises(UserError, match="no Parquet files"), on_this_disk(request("s3://flowers/in", tmp_path)):
        pass
    with pytest.raises(UserError) as caught, on_this_disk(request("s3://nowhere/in", tmp_path)):
        pass
    assert "s3://nowhere/in" in caught.value.what
    assert caught.value.hint


def test_a_server_that_does_not_answer_is_told(store, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    asked = request(tmp_path, "s3://flowers/out")
    with pytest.raises(UserError, match="s3://flowers/out cannot be reached") as caught, on_this_disk(asked):
        pass
    assert "AWS_ENDPOINT_URL" in caught.value.hint
