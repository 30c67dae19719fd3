"""Tests of the download against a real server on this machine."""

import hashlib
import http.server
import io
import os
import resource
import socket
import tarfile
import threading

import pytest

from image_classifier.data.sources.download import fetch_batches
from image_classifier.errors import UserError

MEMBERS = ("data_batch_1", "test_batch")


def archive(**extra):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in ({name: name.encode() * 50_000 for name in MEMBERS} | extra).items():
            member = tarfile.TarInfo(name if "/" in name else f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


GOOD = archive()
DIGEST = hashlib.sha256(GOOD).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves good, short and missing files."""

    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(GOOD)))
        self.end_headers()
        self.wfile.write(GOOD[: len(GOOD) // 2] if self.path == "/short" else GOOD)

    def log_message(self, *_):
        """Nothing on the terminal."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def refusal(folder, address, digest=DIGEST):
    with pytest.raises(UserError) as caught:
        fetch_batches(folder, MEMBERS, (address, digest), quiet=True)
    assert "--dataset_folder digits" in caught.value.hint
    assert "data_batch_1, test_batch" in caught.value.hint
    assert os.listdir(folder.parent) == []
    return caught.value.what


def test_a_good_archive_becomes_the_folder_of_batches(tmp_path, server):
    folder = tmp_path / "new" / "cifar-10-batches-py"
    fetch_batches(folder, MEMBERS, (f"{server}/good", DIGEST), quiet=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {n: n.encode() * 50_000 for n in MEMBERS}
    assert os.listdir(folder.parent) == ["cifar-10-batches-py"]


def test_only_the_expected_members_are_unpacked(tmp_path):
    odd = archive(**{"../../harm": b"x", "/tmp/harm": b"x", "other": b"x"})
    (tmp_path / "odd.tar.gz").write_bytes(odd)
    folder = tmp_path / "a" / "b" / "cifar-10-batches-py"
    address = (tmp_path / "odd.tar.gz").as_uri()
    fetch_batches(folder, MEMBERS, (address, hashlib.sha256(odd).hexdigest()), quiet=True)
    assert sorted(os.listdir(folder)) == sorted(MEMBERS)
    assert sorted(os.listdir(tmp_path)) == ["a", "odd.tar.gz"]


def test_another_digest_is_refused(tmp_path, server):
    what = refusal(tmp_path / "new" / "cifar-10-batches-py", f"{server}/good", "0" * 64)
    assert f"has the sha256 {DIGEST} instead of {'0' * 64}" in what


def test_a_connection_that_ends_early_is_refused(tmp_path, server):
    what = refusal(tmp_path / "new" / "cifar-10-batches-py", f"{server}/short")
    assert f"the connection ended {len(GOOD) - len(GOOD) // 2} bytes early" in what


def test_a_missing_archive_is_refused(tmp_path, server):
    what = refusal(tmp_path / "new" / "cifar-10-batches-py", f"{server}/missing")
    assert "the server answers 404 Not Found" in what


def test_a_refused_connection_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert "refused" in refusal(tmp_path / "new" / "cifar-10-batches-py", f"http://127.0.0.1:{port}/good").lower()


def test_a_name_that_does_not_resolve_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    assert "could not be downloaded" in refusal(tmp_path / "n" / "cifar-10-batches-py", "http://nowhere.invalid/good")


def test_a_full_disk_is_called_one_and_not_a_failed_download(tmp_path):
    folder = tmp_path / "new" / "cifar-10-batches-py"
    (tmp_path / "large.tar.gz").write_bytes(bytes(1_000_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))  # more cannot be written to one file
    try:
        with pytest.raises(UserError) as caught:
            fetch_batches(folder, MEMBERS, ((tmp_path / "large.tar.gz").as_uri(), DIGEST), quiet=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.what == f"no space left while writing {folder}"
    assert os.listdir(folder.parent) == []


def test_an_interrupted_download_leaves_nothing(tmp_path, server, monkeypatch):
    monkeypatch.setattr(hashlib, "sha256", interrupt)
    folder = tmp_path / "new" / "cifar-10-batches-py"
    with pytest.raises(KeyboardInterrupt):
        fetch_batches(folder, MEMBERS, (f"{server}/good", DIGEST), quiet=True)
    assert os.listdir(folder.parent) == []


def interrupt():
    raise KeyboardInterrupt
