"""Tests of what S3 is expected to call a file that is sent; the rest is tested with a server, in test_buckets.py."""

import hashlib

from image_classifier.data import uploading


def test_a_file_that_is_sent_at_once_has_its_md5_as_its_etag(tmp_path):
    (tmp_path / "file").write_bytes(b"hello")
    assert uploading.etag_of(tmp_path / "file") == "5d41402abc4b2a76b9719d911017c592"  # pragma: allowlist secret


def test_one_that_is_sent_in_parts_has_the_md5_of_the_parts_md5s_and_their_number(tmp_path, monkeypatch):
    monkeypatch.setattr(uploading, "SENT_PART", 4)
    (tmp_path / "file").write_bytes(b"aaaabbbbcc")
    parts = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in (b"aaaa", b"bbbb", b"cc"))
    assert uploading.etag_of(tmp_path / "file") == hashlib.md5(parts, usedforsecurity=False).hexdigest() + "-3"
    (tmp_path / "file").write_bytes(b"aaaabbb")  # less than two parts: at once
    assert "-" not in uploading.etag_of(tmp_path / "file")
