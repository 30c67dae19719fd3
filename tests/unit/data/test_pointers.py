"""Pointers of Git LFS and DVC, told from what they stand for."""

import pytest

from image_classifier.data.pointers import kept_elsewhere, pointer, refuse_pointer
from image_classifier.errors import UserError
from image_classifier.lfs import POINTER

LFS = POINTER + b"v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"


def test_a_pointer_of_git_lfs_is_known_by_its_first_bytes_and_its_size(tmp_path):
    for name, content in (("pointer", LFS), ("image", b"\xff\xd8\xff"), ("long", LFS + b" " * 2000), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
        found = pointer(str(tmp_path / name))
        assert (found is not None) == (name == "pointer")
        assert pointer(str(tmp_path / name), len(content)) == found
    assert "git lfs pull" in pointer(str(tmp_path / "pointer"))
    assert pointer(str(tmp_path / "missing")) is None
    (tmp_path / "several").write_bytes(b"\xff\xd8\xff" + LFS)
    assert "git lfs pull" in pointer(str(tmp_path / "several"), len(LFS), 3)


def test_a_file_of_dvc_is_known_by_its_name(tmp_path):
    assert "dvc pull" in pointer(str(tmp_path / "cat.png.dvc"))


def test_what_dvc_keeps_is_found_by_a_file_beside_it_or_beside_a_folder_above(tmp_path):
    (tmp_path / "images.dvc").touch()
    (tmp_path / "one.png.dvc").touch()
    for path in ("images/cat/1.png", "images", "one.png"):
        assert "dvc pull" in kept_elsewhere(str(tmp_path / path), str(tmp_path))
    assert kept_elsewhere(str(tmp_path / "other/cat/1.png"), str(tmp_path)) is None
    assert kept_elsewhere(str(tmp_path / "images" / "1.png"), str(tmp_path / "images")) is None


def test_a_pointer_in_place_of_a_table_is_refused_with_what_fetches_it(tmp_path):
    (tmp_path / "t.csv").write_bytes(LFS)
    with pytest.raises(UserError, match=r"t\.csv is a Git LFS pointer") as caught:
        refuse_pointer(tmp_path / "t.csv")
    assert caught.value.hint == "fetch it: git lfs pull"
    (tmp_path / "t.csv").write_text("a,b\n")
    refuse_pointer(tmp_path / "t.csv")


def test_pointers_in_a_folder_of_images_are_named_as_such(pets, prepared):
    (pets / "cat" / "0.png").write_bytes(LFS)
    (pets / "cat" / "1.png").unlink()
    (pets / "cat" / "1.png.dvc").write_text("outs:\n- path: 1.png\n")
    with pytest.raises(UserError, match="2 of 20 files") as caught:
        prepared(pets)
    assert "cat/0.png: a Git LFS pointer" in caught.value.what
    assert "cat/1.png.dvc: a file of DVC" in caught.value.what
