"""Tests of folders of images: what is found, and the ways in which a folder is refused."""

import os
import shutil
import socket
import unicodedata

import numpy as np
import pytest

from image_classifier.data.examples import shown
from image_classifier.data.sources.folder import folder_of_images
from image_classifier.errors import UserError


def loaded(folder):
    return folder_of_images(folder).load()


def refusal(folder):
    with pytest.raises(UserError) as caught:
        loaded(folder)
    assert caught.value.hint
    return caught.value.what


@pytest.fixture
def split_pets(pets):
    """train/ and test/ with the same class folders."""
    (pets / "train").mkdir()
    for name in ("cat", "dog"):
        (pets / name).rename(pets / "train" / name)
    shutil.copytree(pets / "train", pets / "test")
    return pets


def test_classes_are_the_folders_in_order_of_their_names(pets):
    classes, examples = loaded(pets)
    assert classes == ("cat", "dog")
    assert examples["train"].labels.tolist() == [0] * 10 + [1] * 10
    assert examples["train"].names[:2] == ("cat/0.png", "cat/1.png")
    assert [os.path.relpath(file.path, pets) for file in examples["train"].images] == list(examples["train"].names)


def test_a_source_without_a_test_folder_says_that_the_test_is_to_be_drawn(pets, picture):
    assert folder_of_images(pets).draws_test


def test_train_test_and_val_folders_are_the_splits(split_pets):
    shutil.copytree(split_pets / "test", split_pets / "val")
    source = folder_of_images(split_pets)
    assert not source.draws_test
    classes, examples = source.load()
    assert classes == ("cat", "dog")
    assert set(examples) == {"train", "test", "val"}
    assert examples["val"].names[0] == "val/cat/0.png"


def test_train_and_val_without_test_leave_the_test_to_be_drawn(split_pets):
    (split_pets / "test").rename(split_pets / "val")
    assert folder_of_images(split_pets).draws_test


def test_images_in_sub_folders_of_a_class_are_found(pets, picture):
    picture(pets / "cat" / "more" / "deep" / "x.png")
    _, examples = loaded(pets)
    assert "cat/more/deep/x.png" in examples["train"].names
    assert examples["train"].labels.tolist() == [0] * 11 + [1] * 10


def test_hidden_files_and_the_litter_of_desktops_are_not_seen(pets):
    before = loaded(pets)[1]["train"].names
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", ".cache/x.png", "__MACOSX/x.png"):
        for folder in (pets, pets / "cat"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"litter")
    classes, examples = loaded(pets)
    assert classes == ("cat", "dog")
    assert examples["train"].names == before


def test_files_beside_the_class_folders_are_not_used(pets):
    (pets / "README.md").write_text("about my pets")
    assert len(loaded(pets)[1]["train"].labels) == 20


def test_a_class_may_be_called_train(pets, picture):
    picture(pets / "train" / "x.png")
    assert loaded(pets)[0] == ("cat", "dog", "train")


def test_a_linked_class_folder_is_followed(pets, tmp_path):
    (pets / "dog").rename(tmp_path / "elsewhere")
    (pets / "dog").symlink_to(tmp_path / "elsewhere")
    assert loaded(pets)[0] == ("cat", "dog")
    assert loaded(pets)[1]["train"].names[-1] == "dog/9.png"


def test_file_names_that_are_not_utf8_are_shown_with_escapes(pets):
    os.rename(os.fsencode(pets / "cat" / "0.png"), os.fsencode(pets / "cat") + b"/\xe9\n.png")
    names = loaded(pets)[1]["train"].names
    assert "cat/\\xe9\\n.png" in names
    assert "".join(names).isprintable()


def test_letters_of_other_scripts_are_shown_as_they_are():
    assert shown("Käse/猫.png") == "Käse/猫.png"


def test_class_names_are_composed_unicode_however_the_file_system_stores_them(pets):
    (pets / "dog").rename(pets / unicodedata.normalize("NFD", "Übung"))
    assert loaded(pets)[0] == ("cat", unicodedata.normalize("NFC", "Übung"))


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "new").mkdir()
    assert refusal(tmp_path / "new").endswith("new is empty")


def test_images_without_class_folders_are_refused(tmp_path, picture):
    picture(tmp_path / "flat" / "x.png")
    assert "1 files and no class folders" in refusal(tmp_path / "flat")


def test_a_train_folder_without_class_folders_is_refused(tmp_path, picture):
    picture(tmp_path / "flat" / "train" / "x.png")
    assert "train holds 1 files and no class folders" in refusal(tmp_path / "flat")


def test_a_folder_with_what_dvc_leaves_in_place_of_class_folders_is_refused_with_what_fetches_them(tmp_path):
    (tmp_path / "pets").mkdir()
    for name in ("cat.dvc", "dog.dvc"):
        (tmp_path / "pets" / name).write_text("outs:\n")
    assert refusal(tmp_path / "pets").endswith(
        "holds no images yet: cat.dvc is a file of DVC, not what it stands for: dvc pull"
    )


def test_class_folders_that_differ_in_blanks_only_are_refused(pets):
    (pets / "dog").rename(pets / "cat ")
    assert "spells one class in two ways: 'cat' and 'cat '" in refusal(pets)


def test_an_empty_file_is_called_empty(pets, prepared):
    (pets / "cat" / "0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"0\.png: empty: it has no bytes"):
        prepared(pets)


def test_a_single_class_is_refused(pets):
    shutil.rmtree(pets / "dog")
    assert "only one class folder: cat" in refusal(pets)


def test_a_class_without_images_is_refused_by_name(pets):
    (pets / "bird").mkdir()
    assert refusal(pets).endswith(": bird")


def test_a_class_may_be_absent_from_the_test_images(split_pets):
    for path in (split_pets / "test" / "cat").iterdir():
        path.unlink()
    assert set(loaded(split_pets)[1]["test"].labels) == {1}


def test_test_folders_without_any_image_are_refused(split_pets):
    for path in split_pets.glob("test/*/*"):
        path.unlink()
    assert "test hold no images" in refusal(split_pets)


def test_different_class_folders_in_train_and_test_are_refused_by_name(split_pets):
    (split_pets / "test" / "dog").rename(split_pets / "test" / "dogs")
    assert refusal(split_pets).endswith("only in train: dog; only in test: dogs")


@pytest.mark.parametrize(("split", "other"), [("train", "test"), ("test", "train")])
def test_a_class_folder_that_one_split_lacks_is_named(split_pets, split, other):
    (split_pets / split / "bird").mkdir()
    assert refusal(split_pets).endswith(f"different class folders: only in {split}: bird")


def test_a_test_folder_alone_is_refused(split_pets):
    shutil.rmtree(split_pets / "train")
    assert "has test, but no folder train" in refusal(split_pets)


def test_other_folders_beside_train_and_test_are_refused_by_name(split_pets, picture):
    picture(split_pets / "unlabelled" / "x.png")
    assert refusal(split_pets).endswith("has train, test beside other folders: unlabelled")


@pytest.fixture
def folders(tmp_path, picture):
    """Makes a data set of one picture, written again and again, at the named places."""
    picture(tmp_path / "picture.png")

    def make(*places):
        for place in places:
            path = tmp_path / "set" / place / "x.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(tmp_path / "picture.png", path)
        return tmp_path / "set"

    return make


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        ("training", "testing", "test"), ("TRAIN", "VAL", "val"), ("Train", "Validation", "val"),
        ("training", "dev", "val"), ("train_images", "test_images", "test"), ("TrainSet", "TestSet", "test"),
        ("training_set", "valid_set", "val"), ("trainset", "testset", "test"), ("img-train", "img-test", "test"),
        ("train2017", "val2017", "val"), ("seg_train", "seg_test", "test"), ("1 train", "2 eval", "val"),
        ("cifar10_train", "cifar10_test", "test"), ("trn", "tst", "test"), ("Train Data", "Valid Data", "val"),
    ],
)  # fmt: skip
def test_folders_named_nearly_like_splits_are_refused_with_the_names_they_should_have(folders, train, other, split):
    folder = folders(*(f"{top}/{name}" for top in (train, other) for name in ("cat", "dog")))
    with pytest.raises(UserError) as caught:
        loaded(folder)
    assert "look like splits" in caught.value.what
    assert f"{train} to train" in caught.value.hint
    assert f"{other} to {split}" in caught.value.hint


@pytest.mark.parametrize("name", ["train_images", "Training", "TEST", "valid"])
def test_a_folder_named_nearly_like_a_split_beside_none_is_refused(folders, name):
    assert f"has {name}: it looks like a split" in refusal(folders(f"{name}/cat", f"{name}/dog"))


@pytest.mark.parametrize(
    "places",
    [
        ("train_images/cat", "train_images/dog", "test_images"),  # the images to classify, as in competitions
        ("training/cat", "training/dog", "testing/cat", "testing/dog", "unlabelled"),
        ("seg_train/cat", "seg_train/dog", "seg_test/cat", "seg_test/dog", "seg_pred"),
        ("training/cat", "training/dog", "testing/dog", "testing/cow"),
        ("Training/cat", "Training/dog", "training/cat", "training/dog", "Test/cat"),
    ],
)
def test_such_folders_are_refused_whatever_lies_beside_them(folders, places):
    assert "look like splits" in refusal(folders(*places))


def test_a_note_beside_the_class_folders_does_not_make_a_class_of_them(folders):
    folder = folders("training/cat", "training/dog", "testing/cat", "testing/dog")
    (folder / "training" / "labels.csv").write_text("a table\n")
    assert "look like splits" in refusal(folder)


@pytest.mark.parametrize(
    "places",
    [
        ("trains", "test_tubes"),
        ("train", "bus"),
        ("training", "testing"),
        ("training", "testing", "training/more", "testing/more"),
        ("train_station/day", "train_station/night", "test_tube/day", "test_tube/night"),
        ("training/monday", "training/tuesday", "running/monday", "running/tuesday"),
        ("trains/a", "trains/b", "contests/a", "contests/b"),
        ("crash test/a", "crash test/b", "training/a", "training/b"),
        ("test 1/a", "test 1/b", "test 2/a", "test 2/b"),
        ("training/monday", "testing/friday", "running/sunday"),
    ],
)
def test_classes_whose_names_only_remind_of_splits_are_classes(folders, places):
    assert loaded(folders(*places))[0] == tuple(sorted({place.partition("/")[0] for place in places}))


@pytest.mark.parametrize("name", [b"do\ng", b"do\x07g", b"d\xe9g", b"  "])
def test_class_names_that_are_not_plain_text_are_refused(pets, name):
    os.rename(pets / "dog", os.path.join(os.fsencode(pets), name))
    what = refusal(pets)
    assert "is not plain text" in what
    what.encode("utf-8")


def test_class_names_that_differ_only_in_composition_are_refused(pets):
    for form in ("NFC", "NFD"):
        shutil.copytree(pets / "cat", pets / unicodedata.normalize(form, "é"))
    assert "stands more than once" in refusal(pets)


@pytest.mark.parametrize("target", [".", "..", "../../pets"])
def test_a_link_that_leads_back_up_is_refused_and_does_not_hang(pets, target):
    (pets / "cat" / "again").symlink_to(target)
    assert "cat/again is a link to a folder that holds it" in refusal(pets)


def test_a_link_to_itself_and_a_dangling_link_are_refused(pets):
    (pets / "cat" / "loop.png").symlink_to("loop.png")
    assert "loop.png cannot be read" in refusal(pets)
    (pets / "cat" / "loop.png").unlink()
    (pets / "cat" / "gone.png").symlink_to("nowhere.png")
    assert "gone.png cannot be read: No such file" in refusal(pets)


def test_a_fifo_among_the_images_is_refused_and_does_not_hang(pets):
    os.mkfifo(pets / "cat" / "x.png")
    assert "cat/x.png is not a regular file" in refusal(pets)


def test_a_device_and_a_socket_are_refused(pets, monkeypatch):
    (pets / "cat" / "x.png").symlink_to("/dev/zero")
    assert "not a regular file" in refusal(pets)
    (pets / "cat" / "x.png").unlink()
    monkeypatch.chdir(pets / "cat")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("x.png")
        assert "not a regular file" in refusal(pets)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_without_permission_is_refused(pets):
    (pets / "cat").chmod(0)
    assert "cat cannot be read: Permission denied" in refusal(pets)
    (pets / "cat").chmod(0o755)


def test_the_stats_change_when_a_file_is_replaced_by_one_of_the_same_size(pets):
    before = folder_of_images(pets).stats
    assert before == folder_of_images(pets).stats
    content = (pets / "cat" / "0.png").read_bytes()
    (pets / "cat" / "0.png").write_bytes(content[::-1])
    os.utime(pets / "cat" / "0.png", ns=(0, before[0][2]))
    assert before[0][2] == folder_of_images(pets).stats[0][2]
    assert before != folder_of_images(pets).stats


def test_taking_some_examples_keeps_labels_files_and_names_together(pets):
    everything = loaded(pets)[1]["train"]
    some = everything.take(np.array([3, 12]))
    assert some.labels.tolist() == [0, 1]
    assert some.names == ("cat/3.png", "dog/2.png")
    assert [file.path for file in some.images] == [str(pets / name) for name in some.names]
