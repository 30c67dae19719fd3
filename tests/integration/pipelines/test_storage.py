"""Pipelines' files come back from a folder and from a bucket on a local S3 server as they were stored."""

import hashlib

import boto3
import pytest
from moto.server import ThreadedMotoServer

from image_classifier.errors import UserError
from image_classifier.pipelines.storage import Storage


@pytest.fixture(scope="module")
def bucket():
    """A bucket on a local S3 server, and the environment that leads there."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:{1}".format(*server.get_host_and_port()))
        patched.setenv("AWS_ACCESS_KEY_ID", "id")
        patched.setenv("AWS_SECRET_ACCESS_KEY", "key")
        patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="stored")
        yield "stored"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def anywhere(request, tmp_path):
    """The same storage in a folder and in a bucket."""
    if request.param == "folder":
        return Storage(str(tmp_path / "a root"), "playground")
    return Storage(f"s3://{request.getfixturevalue('bucket')}/{tmp_path.name}", "playground")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "files"
    (made / "deep").mkdir(parents=True)
    (made / "deep" / "a.bin").write_bytes(bytes(range(256)))
    (made / "b.txt").write_text("b")
    return made


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_stored_comes_back_byte_for_byte(anywhere, folder, tmp_path):
    path = anywhere.path("pipeline_tmp", "one", "x")
    anywhere.put(folder, path)
    assert contents(anywhere.get(path, tmp_path / "back")) == contents(folder)
    assert anywhere.manifest(path)["b.txt"] == hashlib.sha256(b"b").hexdigest()


def test_storing_again_leaves_nothing_of_before(anywhere, folder):
    path = anywhere.path("pipeline_tmp", "one", "x")
    anywhere.put(folder, path)
    (folder / "b.txt").unlink()
    anywhere.put(folder, path)
    assert set(anywhere.listed(path)) == {"deep/a.bin", "_MANIFEST.json"}


def test_copies_lie_beside_the_files_in_one_manifest(anywhere, folder, tmp_path):
    source, target = anywhere.path("pipeline_tmp", "one"), anywhere.path("pipeline_outputs", "two")
    anywhere.put(folder, source)
    (folder / "deep" / "a.bin").unlink()
    anywhere.put(folder, target, [(source, "runs/good")])
    assert set(anywhere.manifest(target)) == {"b.txt", "runs/good/b.txt", "runs/good/deep/a.bin"}
    assert contents(anywhere.get(target, tmp_path / "back"))["runs/good/deep/a.bin"] == bytes(range(256))


def test_what_was_not_stored_to_the_end_is_refused(anywhere, tmp_path):
    path = anywhere.path("pipeline_tmp", "one", "half")
    anywhere.write(f"{path}/a.bin", b"1")
    with pytest.raises(UserError, match=r"half is not complete: it has no _MANIFEST\.json"):
        anywhere.get(path, tmp_path / "back")


def test_a_file_that_has_changed_is_refused(anywhere, folder, tmp_path):
    path = anywhere.path("pipeline_tmp", "one", "x")
    anywhere.put(folder, path)
    anywhere.write(f"{path}/b.txt", b"c")
    with pytest.raises(UserError, match=r"x/b\.txt is not what was stored"):
        anywhere.get(path, tmp_path / "back")


def test_a_small_file_is_read_as_it_was_written_or_is_none(anywhere):
    path = anywhere.path("pipeline_tmp", "one", "x.json")
    assert (anywhere.read(path), anywhere.read_json(path)) == (None, None)
    anywhere.write_json(path, {"a": ["é"]})
    assert anywhere.read_json(path) == {"a": ["é"]}
    with anywhere.opened(path) as stream:
        assert stream.read(1) == b"{"
    assert anywhere.names(anywhere.path("pipeline_tmp")) == ["one"]


def test_removing_takes_away_all_below_and_nothing_beside(anywhere):
    for name in ("one", "oneself"):
        anywhere.write(anywhere.path("pipeline_tmp", name, "x"), b"1")
    anywhere.remove(anywhere.path("pipeline_tmp", "one"))
    anywhere.remove(anywhere.path("pipeline_tmp", "one"))
    assert anywhere.names(anywhere.path("pipeline_tmp")) == ["oneself"]


def test_data_without_a_manifest_is_fetched_by_its_list(anywhere, tmp_path):
    path = anywhere.path("pipeline_input", "smoke", "good")
    anywhere.write(f"{path}/a/1.csv", b"x")
    assert contents(anywhere.get_listed(path, tmp_path / "back")) == {"a/1.csv": b"x"}
    assert anywhere.listed(anywhere.path("pipeline_input", "nothing")) == {}


def test_a_manifest_that_leads_elsewhere_is_refused(anywhere, tmp_path):
    path = anywhere.path("pipeline_tmp", "one")
    anywhere.write_json(f"{path}/_MANIFEST.json", {"../../x": "0"})
    with pytest.raises(UserError, match="leads elsewhere"):
        anywhere.get(path, tmp_path / "back")


def test_a_bucket_that_is_not_there_is_named(bucket):
    with pytest.raises(UserError, match=r"s3://no-such-bucket/x cannot be reached: .*does not exist"):
        Storage("s3://no-such-bucket", "kubeflow").write("s3://no-such-bucket/x", b"1")
