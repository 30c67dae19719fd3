"""What is written is whole or absent, and a lock ends with its process."""

import errno
import os
import subprocess
import sys

import pytest

from image_classifier import files
from image_classifier.errors import UserError

pytestmark = pytest.mark.unit


def test_a_file_is_replaced_in_one_step_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "new" / "a.txt"
    files.write_text(path, "one")
    before = path.stat().st_ino
    files.write_text(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_ino != before
    assert os.listdir(path.parent) == ["a.txt"]


def test_the_files_mode_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_full_disk_keeps_the_old_file_and_names_the_new_one(tmp_path):
    """A limit on the size of files fails a write as a full disk does, for this process alone."""
    files.write_bytes(tmp_path / "a", b"old")
    code = (
        "import resource, signal, sys, pathlib; from image_classifier import files, errors\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: files.write_bytes(pathlib.Path(sys.argv[1]), bytes(100_000))\n"
        "except (OSError, errors.UserError) as error: print(type(error).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a"], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "UserError"
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_the_disks_refusals_become_errors_with_a_hint(tmp_path, number):
    with pytest.raises(UserError, match="x") as caught, files.disk_errors(tmp_path / "x"):
        raise OSError(number, os.strerror(number))
    assert caught.value.hint


def test_a_new_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), files.new_folder(tmp_path / "store") as folder:
        (folder / "half").write_text("x")
        raise RuntimeError
    assert os.listdir(tmp_path) == []
    with files.new_folder(tmp_path / "store") as folder:
        (folder / "whole").write_text("x")
        assert not (tmp_path / "store").exists()
    assert os.listdir(tmp_path) == ["store"]


def test_the_first_of_two_writers_of_a_folder_wins(tmp_path):
    with files.new_folder(tmp_path / "store") as second:
        (second / "by").write_text("second")
        with files.new_folder(tmp_path / "store") as first:
            (first / "by").write_text("first")
    assert (tmp_path / "store" / "by").read_text() == "first"
    assert os.listdir(tmp_path) == ["store"]


def test_a_lock_is_refused_to_a_second_holder_and_released_by_a_kill(tmp_path):
    code = (
        "import sys, time, pathlib; from image_classifier import files\n"
        "with files.lock(pathlib.Path(sys.argv[1]), 'busy'): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(UserError, match="busy"), files.lock(tmp_path, "busy"):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with files.lock(tmp_path, "busy"):
        pass


def test_a_lock_that_one_holds_is_not_waited_for(tmp_path):
    with files.lock(tmp_path, "busy"):
        with files.lock(tmp_path), files.lock(tmp_path / "."):
            pass
        with pytest.raises(UserError, match="busy"), files.lock(tmp_path, "busy"):
            pass  # whoever would rather be told than wait asks whether anybody is at work
    with files.lock(tmp_path, "busy"):
        pass


def test_canonical_json_is_one_text_per_value():
    assert files.canonical_json({"b": 1, "a": "ä"}) == '{"a":"ä","b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.canonical_json({"a": float("nan")})


def test_a_digest_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # pragma: allowlist secret
    assert files.digest_file(tmp_path / "a") == files.digest_bytes(b"abc") == expected


def test_broken_json_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match=r"a\.json is not valid JSON"):
        files.read_json(tmp_path / "a.json")
    with pytest.raises(UserError, match=r"b\.json cannot be read"):
        files.read_json(tmp_path / "b.json")


def test_what_is_discarded_is_gone_by_name_and_stays_open_for_who_reads_it(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_text("content")
    (tmp_path / "link").symlink_to("folder")
    with (tmp_path / "folder" / "x").open() as stream:
        files.discard(tmp_path / "link")
        assert (tmp_path / "folder" / "x").exists(), "of a link only the link goes"
        files.discard(tmp_path / "folder")
        assert stream.read() == "content"
    files.discard(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []
