"""Tests of checks: bytes that an ETag contradicts are read again, and an ETag that is no md5 is found out."""

import hashlib

import pytest

from image_classifier.data.sources.checking import Checks, md5_of
from image_classifier.errors import UserError


def md5(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def reading(*answers):
    left = list(answers)
    return lambda: left.pop(0), left


def test_what_the_etag_confirms_is_read_once():
    read, left = reading(b"good", b"never")
    assert Checks().agreed(read, md5(b"good"), "s3://b/x") == (b"good", md5(b"good"))
    assert left == [b"never"]


def test_a_byte_that_was_changed_on_the_way_is_read_again():
    read, left = reading(b"gooc", b"bood", b"good", b"never")
    assert Checks().agreed(read, md5(b"good"), "s3://b/x")[0] == b"good"
    assert left == [b"never"]


def test_what_comes_differently_each_time_is_an_error():
    read, _ = reading(b"1", b"2", b"3", b"4", b"5")
    with pytest.raises(UserError, match="s3://b/x arrives with other bytes each time"):
        Checks().agreed(read, md5(b"good"), "s3://b/x")


def test_an_etag_of_something_else_is_found_out_by_two_readings_and_soon_not_asked():
    checks, etag = Checks(), "0" * 32
    for number in range(3):
        read, left = reading(b"x", b"x", b"never")
        assert checks.agreed(read, etag, f"s3://b/{number}") == (b"x", md5(b"x"))
        assert left == [b"never"]
    read, left = reading(b"x", b"never")
    assert checks.agreed(read, etag, "s3://b/4")[0] == b"x"
    assert left == [b"never"]


def test_where_etags_are_md5s_of_others_they_are_asked_for_ever():
    checks, etag = Checks(), "0" * 32
    checks.agreed(reading(b"good")[0], md5(b"good"), "s3://b/x")
    for _ in range(5):
        read, left = reading(b"x", b"x", b"never")
        checks.agreed(read, etag, "s3://b/y")
        assert left == [b"never"]


@pytest.mark.parametrize("version", [None, "d41d8cd98f00b204e9800998ecf8427e-3", "2026-11-28", "W/x"])
def test_what_is_no_md5_at_all_is_not_asked(version):
    read, left = reading(b"x", b"never")
    assert Checks().agreed(read, version, "s3://b/x")[0] == b"x"
    assert left == [b"never"]


def test_the_md5_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"hello")
    assert md5_of(tmp_path / "file") == "5d41402abc4b2a76b9719d911017c592"  # pragma: allowlist secret
