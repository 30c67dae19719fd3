"""Tests of objects' names: which become files, which are marks of folders, and which are refused."""

import pytest

from image_classifier.data.sources.attempts import RefusedError
from image_classifier.data.sources.object_names import Remote, files_of


def remote(path, size=1):
    return Remote(path, size, "v")


def names(*found):
    return [each.path for each in files_of(found, "s3://b/x")]


def test_objects_are_listed_by_name():
    assert names(remote("b/2"), remote("a"), remote("b/1")) == ["a", "b/1", "b/2"]


def test_marks_of_folders_and_hidden_files_are_left_out():
    marks = [remote("", 0), remote("cat/", 0), remote("cat_$folder$", 0)]
    hidden = [remote(".git/config"), remote("cat/.DS_Store"), remote("cat/Thumbs.db"), remote("__MACOSX/cat/1.png")]
    assert names(*marks, *hidden, remote("cat/1.png")) == ["cat/1.png"]


@pytest.mark.parametrize(
    "name", ["cat/ü.png", "cat/u\u0308.png", "cat/a\\b.png", "cat/tab\t.png", "cat/line\n.png", "CAT/1.png", "cat/~"]
)
def test_odd_names_that_a_file_can_have_are_kept(name):
    assert names(remote(name), remote("cat/1.png")) == sorted([name, "cat/1.png"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../x", "leads elsewhere"),
        ("a/../../x", "leads elsewhere"),
        ("./x", "leads elsewhere"),
        ("a//x", "empty part"),
        ("/x", "empty part"),
        ("a/", "ends in a slash, and has content"),
        ("", "empty part"),
        ("a\0b", "zero byte"),
        ("a/" + "x" * 256, "too long"),
        ("ä" * 128, "too long"),
        ("x/" * 2000 + "x", "too long"),
    ],
)
def test_a_name_that_no_file_below_a_folder_has_is_refused_and_shown(name, words):
    with pytest.raises(RefusedError, match="s3://b/x has objects that cannot become files") as caught:
        names(remote("good"), remote(name))
    assert words in caught.value.what
    assert "'good'" not in caught.value.what


def test_an_object_that_is_also_a_folder_is_refused():
    with pytest.raises(RefusedError, match="'a/b' is an object and a folder of objects"):
        names(remote("a/b/c/d"), remote("a/b"), remote("a/c"))


def test_many_bad_names_are_counted():
    with pytest.raises(RefusedError, match="and 12 more") as caught:
        names(*[remote(f"../{number}") for number in range(20)])
    assert caught.value.what.count("leads elsewhere") == 8
