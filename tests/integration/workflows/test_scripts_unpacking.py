"""unpacking.py: of all the zips there are, only one run folder is unpacked, and nothing of any other."""

import io
import stat
import warnings
import zipfile

import pytest
from steps import SCRIPTS

from image_classifier.errors import UserError


def member(name, *, mode=stat.S_IFREG | 0o644, data=b"x", method=zipfile.ZIP_STORED):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    entry.compress_type = method
    return entry, data


def archive_of(*members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the same name twice
        for entry, data in members:
            archive.writestr(entry, data)
    return stream.getvalue()


def patched(archive, before, after):
    assert before in archive
    return archive.replace(before, after)


def flagged(archive):
    """The archive with its first member marked as encrypted."""
    marked = bytearray(archive)
    marked[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(marked)


@pytest.fixture
def unpack(tmp_path, monkeypatch):
    """unpack(bytes) is the run's name, or the refusal; below unpack.target lies the run."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import unpacking

    archive, target = tmp_path / "x.zip", tmp_path / "place" / "target"

    def run(data):
        archive.write_bytes(data)
        try:
            return unpacking.unpack(archive, target)
        except UserError as refused:
            return refused

    run.folder, run.target = tmp_path, target
    return run


MODEL = member("pets/first/model.pth")
REFUSED = {
    "a folder above": (archive_of(member("../model.pth")), "holds '../model.pth'"),
    "a folder above, later": (archive_of(MODEL, member("pets/first/../../../x")), "holds"),
    "an absolute path": (archive_of(MODEL, member("/etc/x")), "holds"),
    "a deeper folder": (archive_of(MODEL, member("pets/first/a/b")), "holds"),
    "a folder": (archive_of(MODEL, member("pets/first/")), "holds"),
    "a hidden file": (archive_of(MODEL, member("pets/first/.git")), "holds"),
    "a hidden experiment": (archive_of(MODEL, member(".parents/first/x")), "holds"),
    "another system's path": (archive_of(MODEL, member("pets\\first\\x")), "holds"),
    "a space": (archive_of(MODEL, member("pets/first/a b")), "holds"),
    "a line break": (archive_of(MODEL, member("pets/first/x\n")), "holds"),
    "an option": (archive_of(MODEL, member("pets/first/-rf")), "holds"),
    "a letter of one language": (archive_of(MODEL, member("pets/first/é")), "holds"),
    "a name that ends early": (patched(archive_of(MODEL, member("pets/first/xAy")), b"xAy", b"x\0y"), "holds"),
    "a link": (
        archive_of(member("pets/first/model.pth", mode=stat.S_IFLNK | 0o777, data=b"/etc/passwd")),
        "no regular",
    ),
    "a pipe": (archive_of(MODEL, member("pets/first/fifo", mode=stat.S_IFIFO | 0o644)), "no regular"),
    "a device": (archive_of(MODEL, member("pets/first/null", mode=stat.S_IFCHR | 0o644)), "no regular"),
    "a file twice": (archive_of(MODEL, MODEL), "a file twice"),
    "a file twice where case does not count": (archive_of(MODEL, member("pets/first/MODEL.pth")), "a file twice"),
    "two runs": (archive_of(MODEL, member("pets/second/model.pth")), "holds 2 runs"),
    "too many files": (archive_of(*(member(f"pets/first/{number}") for number in range(201))), "has 201 files"),
    "nothing": (archive_of(), "has 0 files"),
    "an end that is missing": (archive_of(MODEL)[:-30], "no sound zip"),
    "changed content": (
        patched(archive_of(member("pets/first/x", data=b"tensors")), b"tensors", b"tensorz"),
        "no sound",
    ),
    "a password": (flagged(archive_of(MODEL)), "no sound zip"),
    "no zip": (b"not a zip", "no sound zip"),
    "no bytes": (b"", "no sound zip"),
}


@pytest.mark.parametrize(("archive", "words"), REFUSED.values(), ids=REFUSED)
def test_an_archive_that_is_no_run_folder_is_refused_and_leaves_nothing(archive, words, unpack):
    assert words in unpack(archive).what
    assert [path.name for path in unpack.folder.rglob("*") if not path.is_dir()] == ["x.zip"]


def test_a_bomb_is_refused_before_it_is_unpacked(unpack):
    bomb = archive_of(member("pets/first/model.pth", data=b"\0" * (200 << 20), method=zipfile.ZIP_DEFLATED))
    assert "would become 209715200" in unpack(bomb).what


def test_what_shrinks_well_but_is_small_is_no_bomb(unpack):
    history = archive_of(MODEL, member("pets/first/history.csv", data=b"0" * (1 << 20), method=zipfile.ZIP_DEFLATED))
    assert unpack(history) == "pets/first"


def test_a_bomb_that_lies_about_its_size_writes_no_more_than_it_says(unpack):
    honest = archive_of(member("pets/first/model.pth", data=b"\0" * 1000, method=zipfile.ZIP_DEFLATED))
    assert "no sound zip" in unpack(patched(honest, (1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))).what
    assert not unpack.target.exists()


def test_what_is_there_is_not_overwritten(unpack):
    assert unpack(archive_of(MODEL)) == "pets/first"
    assert "is there already" in unpack(archive_of(member("pets/first/model.pth", data=b"other"))).what
    assert (unpack.target / "pets/first/model.pth").read_bytes() == b"x"


def test_a_link_in_the_place_of_the_target_is_not_followed(unpack):
    unpack.target.parent.mkdir()
    unpack.target.symlink_to(unpack.folder / "elsewhere")
    assert "is there already" in unpack(archive_of(MODEL)).what


def test_permissions_of_the_archive_are_not_taken(unpack):
    assert unpack(archive_of(member("pets/first/model.pth", mode=stat.S_IFREG | 0o6777))) == "pets/first"
    assert (unpack.target / "pets/first/model.pth").stat().st_mode & 0o7111 == 0


def test_an_archive_with_permissions_only_is_accepted(unpack):
    assert unpack(archive_of(member("pets/first/model.pth", mode=0o600))) == "pets/first"
