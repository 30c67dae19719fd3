"""Files are read whole; a pointer of Git LFS, and what is no file, are refused."""

import os

import pytest

from image_classifier import lfs
from image_classifier.errors import UserError

pytestmark = pytest.mark.unit


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%b\nsize 12\n" % (b"0" * 64)


def test_a_file_is_read_whole(tmp_path):
    (tmp_path / "model.pth").write_bytes(b"\x00any bytes" * 10_000)
    assert lfs.read(tmp_path / "model.pth") == b"\x00any bytes" * 10_000


def test_a_pointer_is_refused_with_the_command_that_fetches_the_file(tmp_path):
    path = tmp_path / "e" / "r" / "model.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(POINTER)
    with pytest.raises(UserError, match=r"model\.pth is a Git LFS pointer") as caught:
        lfs.read(path)
    assert caught.value.hint == "fetch it: git lfs pull --include '**/e/r/model.pth'"


def test_what_is_no_file_is_refused_with_the_hint_that_was_given(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, what in (("missing", "No such file"), ("", "not a regular file"), ("pipe", "not a regular file")):
        with pytest.raises(UserError, match=what) as caught:
            lfs.read(tmp_path / name, "look elsewhere")
        assert caught.value.hint == "look elsewhere"
    with pytest.raises(UserError, match="cannot be read"):
        lfs.read(tmp_path / "a\0b")
