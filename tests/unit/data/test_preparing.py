"""Tests of `prepare`: what is made, when it is made again, and what is refused."""

import logging
import os
import shutil
import time

import numpy as np
import pytest
from PIL import Image

from image_classifier import files
from image_classifier.data.store import open_store
from image_classifier.errors import UserError


def refusal(call, *arguments, **named):
    with pytest.raises(UserError) as caught:
        call(*arguments, **named)
    return caught.value


def tree(folder):
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.stat().st_mode) for p in sorted(folder.rglob("*"))}


def test_the_stored_pixels_labels_and_names_are_those_of_the_files(pets, prepared):
    store = prepared(pets)
    assert store.classes == ("cat", "dog")
    assert store.shape == (8, 8, 3)
    seen = 0
    for split in store.splits.values():
        for pixels, label, name in zip(split.inputs, split.labels, split.names, strict=True):
            with Image.open(pets / name) as image:
                assert np.array_equal(pixels, np.asarray(image))
            assert name.startswith(store.classes[label] + "/")
            seen += 1
    assert seen == 20


def test_mean_and_deviation_are_those_of_the_training_pixels(pets, prepared):
    store = prepared(pets)
    scaled = np.asarray(store.splits["train"].inputs) / 255
    assert np.allclose(store.mean, scaled.mean(axis=(0, 1, 2)), rtol=0, atol=1e-14)
    assert np.allclose(store.std, scaled.std(axis=(0, 1, 2)), rtol=0, atol=1e-14)


def test_a_constant_channel_has_deviation_one(tmp_path, prepared):
    for name in ("a", "b"):
        (tmp_path / "flat" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (8, 8), (7, number, 200)).save(tmp_path / "flat" / name / f"{number}.png")
    assert prepared(tmp_path / "flat").std[0] == 1.0
    assert 0 < prepared(tmp_path / "flat").std[1] < 1


def test_a_test_folder_is_the_test_split_whatever_the_seed(pets, prepared):
    (pets / "train").mkdir()
    for name in ("cat", "dog"):
        (pets / name).rename(pets / "train" / name)
    shutil.copytree(pets / "train", pets / "test")
    store = prepared(pets)
    assert len(store.splits["train"].labels) == len(store.splits["test"].labels) == 20
    assert prepared(pets, split_seed=1).folder == store.folder


def test_without_one_fifteen_percent_are_drawn_by_the_seed(pets, prepared):
    store, other = prepared(pets), prepared(pets, split_seed=1)
    assert [len(store.splits[name].labels) for name in ("train", "test")] == [17, 3]
    assert not set(store.splits["train"].names) & set(store.splits["test"].names)
    assert store.splits["test"].names != other.splits["test"].names
    assert list(store.splits["train"].names) == sorted(store.splits["train"].names)


def test_a_second_call_opens_the_same_store_without_reading_an_image(pets, prepared):
    store = prepared(pets)
    before = tree(store.folder)
    content = [path.read_bytes() for path in sorted(pets.rglob("*.png"))]
    again = prepared(pets)
    assert again.folder == store.folder
    assert again.digest == store.digest
    assert tree(store.folder) == before
    assert content == [path.read_bytes() for path in sorted(pets.rglob("*.png"))]


def test_nothing_is_written_into_the_data_set(pets, prepared):
    before = tree(pets)
    prepared(pets)
    assert tree(pets) == before


def test_a_changed_an_added_and_a_removed_image_each_give_a_new_store(pets, prepared, picture):
    digests = [prepared(pets).digest]
    picture(pets / "cat" / "0.png")
    digests.append(prepared(pets).digest)
    picture(pets / "cat" / "new.png")
    digests.append(prepared(pets).digest)
    (pets / "dog" / "1.png").unlink()
    digests.append(prepared(pets).digest)
    assert len(set(digests)) == 4


def test_the_same_images_elsewhere_give_the_same_digest(pets, prepared, tmp_path):
    shutil.copytree(pets, tmp_path / "clone" / "of pets", copy_function=shutil.copyfile)
    first, second = prepared(pets), prepared(tmp_path / "clone" / "of pets", cache_folder=tmp_path / "other")
    assert first.digest == second.digest
    assert (first.folder / "store.json").read_bytes() == (second.folder / "store.json").read_bytes()


def test_the_index_holds_no_absolute_path_and_no_time(pets, prepared, tmp_path):
    text = (prepared(pets).folder / "store.json").read_text()
    assert str(tmp_path) not in text
    assert str((pets / "cat" / "0.png").stat().st_mtime_ns) not in text


def test_a_class_with_another_name_is_another_data_set(pets, prepared):
    before = prepared(pets).digest
    (pets / "dog").rename(pets / "wolf")
    assert prepared(pets).digest != before


def test_all_files_of_a_store_are_read_only(pets, prepared):
    assert {path.stat().st_mode & 0o777 for path in prepared(pets).folder.iterdir()} == {0o444}


def test_images_of_one_size_keep_it_even_if_not_square(tmp_path, prepared, picture):
    for name in ("a", "b"):
        for number in range(4):
            picture(tmp_path / "wide" / name / f"{number}.png", 6, 10)
    assert prepared(tmp_path / "wide").shape == (6, 10, 3)


@pytest.mark.parametrize("odd", ["cat/0.png", "dog/9.png"])
@pytest.mark.parametrize("size", [(30, 20), (30, 8), (8, 30)])
def test_images_of_several_sizes_become_64_by_64(pets, prepared, picture, odd, size):
    picture(pets / odd, *size)
    assert prepared(pets).shape == (64, 64, 3)


def test_a_given_size_is_used(pets, prepared):
    assert prepared(pets).shape == (8, 8, 3)
    assert prepared(pets, image_size=5).shape == (5, 5, 3)


def test_an_upright_and_a_turned_photo_of_one_camera_are_of_two_sizes(tmp_path, prepared, picture):
    for name in ("a", "b"):
        for number in range(4):
            picture(tmp_path / "wide" / name / f"{number}.png", 6, 10)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (10, 6)).save(tmp_path / "wide" / "a" / "turned.png", exif=exif)
    assert prepared(tmp_path / "wide").shape == (64, 64, 3)


def test_the_same_image_in_train_and_test_is_a_warning_with_a_count(pets, prepared, caplog):
    (pets / "train").mkdir()
    for name in ("cat", "dog"):
        (pets / name).rename(pets / "train" / name)
    shutil.copytree(pets / "train", pets / "test")
    for number in range(7):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(pets / "test" / "cat" / f"{number}.png")
    with caplog.at_level(logging.WARNING):
        assert prepared(pets).duplicates == 13
    assert "13 of 20 test images are also in train" in caplog.text


def test_all_broken_files_are_listed_with_their_reasons_in_one_error(pets, prepared, picture):
    picture(pets / "cat" / "a.jpg")
    (pets / "cat" / "a.jpg").write_bytes((pets / "cat" / "a.jpg").read_bytes()[:-10])
    (pets / "cat" / "0.png").write_bytes(b"")
    (pets / "cat" / "1.png").write_bytes((pets / "cat" / "2.png").read_bytes()[:-40])
    (pets / "dog" / "notes.txt").write_text("about my dog")
    Image.fromarray(np.zeros((8, 8), np.float32)).save(pets / "dog" / "f.tif")
    os.rename(os.fsencode(pets / "dog" / "3.png"), os.fsencode(pets / "dog") + b"/\xff.png")
    with open(os.fsencode(pets / "dog") + b"/\xff.png", "wb") as stream:
        stream.write(b"GIF89a")
    error = refusal(prepared, pets)
    lines = error.what.splitlines()
    assert lines[0] == "6 of 23 files cannot be used:"
    assert [line.split(": ")[0].split("pets/")[1] for line in lines[1:]] == [
        "cat/0.png", "cat/1.png", "cat/a.jpg", "dog/f.tif", "dog/notes.txt", "dog/\\xff.png",
    ]  # fmt: skip
    assert "empty: it has no bytes" in lines[1]
    assert "not a readable image" in lines[5]
    assert "truncated" in lines[3]
    assert "floating-point" in lines[4]
    assert "nothing but images" in error.hint
    assert error.what.encode("utf-8")
    assert os.listdir(pets.parent / "cache") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_data_set_without_permission_is_refused(pets, prepared):
    pets.chmod(0)
    assert "pets cannot be read: Permission denied" in refusal(prepared, pets).what
    pets.chmod(0o755)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_listed(pets, prepared):
    (pets / "cat" / "0.png").chmod(0)
    assert "cat/0.png: Permission denied" in refusal(prepared, pets).what


def test_broken_files_among_images_of_several_sizes_are_all_listed(pets, prepared, picture):
    picture(pets / "cat" / "0.png", 30, 20)
    (pets / "cat" / "1.png").write_bytes(b"x")
    (pets / "dog" / "9.png").write_bytes(b"x")
    assert refusal(prepared, pets).what.startswith("2 of 20 files")


def test_nothing_but_broken_files_is_an_error_and_not_a_crash(tmp_path, prepared):
    for name in ("a", "b"):
        (tmp_path / "bad" / name).mkdir(parents=True)
        for number in range(15):
            (tmp_path / "bad" / name / f"{number}.png").write_bytes(b"x")
    assert refusal(prepared, tmp_path / "bad").what.startswith("30 of 30 files")


def test_too_few_images_for_a_test_split_are_refused(tmp_path, prepared, picture):
    picture(tmp_path / "few" / "a" / "x.png")
    picture(tmp_path / "few" / "b" / "x.png")
    error = refusal(prepared, tmp_path / "few")
    assert "has 2 examples: too few" in error.what
    assert "test/" in error.hint


def test_a_prepared_store_is_a_data_set(pets, prepared):
    store = prepared(pets)
    again = prepared(store.folder)
    assert again.digest == store.digest
    assert again.folder == store.folder
    assert prepared(store.folder, image_size=8).digest == store.digest


def test_a_prepared_store_of_another_size_is_refused(pets, prepared):
    error = refusal(prepared, prepared(pets).folder, image_size=16)
    assert "was prepared at 8 x 8; image_size is 16" in error.what


def test_an_output_folder_receives_the_store(pets, prepared, tmp_path):
    store = prepared(pets, output=tmp_path / "deep" / "out")
    assert store.folder == tmp_path / "deep" / "out"
    assert open_store(tmp_path / "deep" / "out").digest == prepared(pets).digest


def test_an_output_that_is_the_same_store_is_fine_and_another_is_refused(pets, prepared, picture, tmp_path):
    store = prepared(pets, output=tmp_path / "out")
    assert prepared(pets, output=tmp_path / "out").digest == store.digest
    picture(pets / "cat" / "0.png")
    error = refusal(prepared, pets, output=tmp_path / "out")
    assert "another store" in error.what
    assert open_store(tmp_path / "out").digest == store.digest


def test_an_output_folder_with_something_else_is_refused_and_kept(pets, prepared, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    assert "already" in refusal(prepared, pets, output=tmp_path / "out").what
    assert os.listdir(tmp_path / "out") == ["thesis.tex"]


def test_leftovers_of_killed_processes_are_removed_when_old_and_unlocked(pets, prepared, tmp_path):
    cache = tmp_path / "cache"
    key = prepared(pets).folder.name
    old, young, busy = (cache / f".{key}.{word}.tmp" for word in ("old", "young", "busy"))
    foreign = cache / ".notes.old.tmp"
    long_ago = time.time() - 7200
    for path in (old, young, busy, foreign):
        path.mkdir()
        (path / "train_inputs.npy").write_bytes(b"half")
        if path != young:
            os.utime(path, (long_ago, long_ago))
    with files.lock(busy, "busy"):
        prepared(pets, split_seed=1)
    assert not old.exists()
    assert young.exists()
    assert busy.exists()
    assert foreign.exists()


def test_a_leftover_is_never_taken_for_a_store(pets, prepared, tmp_path):
    store = prepared(pets)
    shutil.copytree(store.folder, tmp_path / "cache" / f".{store.folder.name}.half.tmp")
    shutil.rmtree(store.folder)
    again = prepared(pets)
    assert again.folder == store.folder
    assert again.digest == store.digest


def test_a_cache_folder_that_cannot_be_made_is_named(pets, prepared, tmp_path):
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file" / "cache") in refusal(prepared, pets, cache_folder=tmp_path / "file" / "cache").what


def cut(path):
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])


def emptied(folder):
    for path in folder.iterdir():
        path.unlink()


def replaced_by_a_file(folder):
    shutil.rmtree(folder)
    folder.write_text("no folder")


DAMAGE = {
    "an index cut short": lambda folder: cut(folder / "store.json"),
    "an empty index": lambda folder: files.write_bytes(folder / "store.json", b""),
    "an index that is a list": lambda folder: files.write_text(folder / "store.json", "[]"),
    "an index nested deep": lambda folder: files.write_text(folder / "store.json", "[" * 100_000),
    "no index": lambda folder: (folder / "store.json").unlink(),
    "an index of another format": lambda folder: files.write_text(folder / "store.json", '{"format": 99}'),
    "an array cut short": lambda folder: cut(folder / "train_inputs.npy"),
    "no labels": lambda folder: (folder / "test_labels.npy").unlink(),
    "other bytes": lambda folder: files.write_bytes(folder / "train_labels.npy", bytes(264)),
    "an empty folder": emptied,
    "a file in its place": replaced_by_a_file,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_store_in_the_cache_is_made_again_with_a_warning(pets, prepared, caplog, name):
    store = prepared(pets)
    held = store.splits["train"].inputs
    before = np.array(held)
    DAMAGE[name](store.folder)
    again = prepared(pets)
    assert (again.folder, again.digest) == (store.folder, store.digest)
    assert [record.levelname for record in caplog.records if "it is made again" in record.message] == ["WARNING"]
    assert os.listdir(store.folder.parent) == [store.folder.name]
    assert np.array_equal(held, before), "who has the damaged one mapped is not hurt"
    caplog.clear()
    assert prepared(pets).digest == store.digest
    assert not caplog.records


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_store_of_the_user_s_is_named_and_left_as_it_is(pets, prepared, tmp_path, name):
    out = prepared(pets, output=tmp_path / "out").folder
    DAMAGE[name](out)
    before = tree(tmp_path / "out")
    assert str(out) in refusal(prepared, pets, output=out).what
    if name not in {"an empty folder", "a file in its place"}:
        error = refusal(prepared, out)
        assert f"{out} is damaged" in error.what or "has format 99" in error.what
        assert f"remove {out} and prepare" in error.hint
    assert tree(tmp_path / "out") == before


def test_a_store_in_the_cache_that_cannot_be_read_now_is_kept(pets, prepared):
    folder = prepared(pets).folder
    (folder / "store.json").unlink()
    (folder / "store.json").symlink_to("x" * 300)  # fails for root too, as a missing permission fails for others
    before = os.listdir(folder)
    assert "cannot be opened" in refusal(prepared, pets).what
    assert os.listdir(folder) == before


def test_one_line_is_logged_when_there_is_no_terminal(pets, prepared, caplog, capfd):
    with caplog.at_level(logging.INFO):
        prepared(pets, quiet=False)
    assert [record.getMessage() for record in caplog.records] == [f"preparing 20 examples of {pets}"]
    assert capfd.readouterr() == ("", "")
