"""Tests of opening a store: whatever was done to its files is found and named."""

import json
import os

import numpy as np
import pytest

from image_classifier import files
from image_classifier.data.store import DamagedStoreError, content_digest, is_store, open_store
from image_classifier.errors import UserError


@pytest.fixture
def store(pets, prepared):
    opened = prepared(pets)
    for path in opened.folder.iterdir():
        path.chmod(0o644)
    return opened


def refusal(store):
    with pytest.raises(UserError) as caught:
        open_store(store.folder)
    assert f"remove {store.folder}" in caught.value.hint
    return caught.value.what


def rewrite(store, change, *, signed=True):
    """Change the index; with a digest that fits, as somebody would who edits it on purpose."""
    index = json.loads((store.folder / "store.json").read_text())
    change(index)
    if signed:
        index["digest"] = content_digest(index)
    (store.folder / "store.json").write_text(json.dumps(index))


def test_the_mean_of_pixels_is_no_negative_number(store):
    rewrite(store, lambda index: index.update(mean=[-0.5, 0.5, 0.5]))
    assert "mean" in refusal(store)


def replace_array(store, name, array):
    np.save(store.folder / name, array)
    path = store.folder / name
    entry = {"sha256": files.digest_file(path), "size": path.stat().st_size}
    rewrite(store, lambda index: index["files"].update({name: entry}))


def test_an_untouched_store_opens_mapped_and_cannot_be_written(store):
    split = open_store(store.folder).splits["train"]
    assert isinstance(split.inputs, np.memmap)
    for array in (split.inputs, split.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("name", ["train_inputs.npy", "train_labels.npy", "test_inputs.npy", "test_labels.npy"])
def test_a_flipped_bit_is_found(store, name):
    content = bytearray((store.folder / name).read_bytes())
    content[-1] ^= 1
    (store.folder / name).write_bytes(content)
    assert f"{name} is not what was written" in refusal(store)


def test_a_file_that_is_cut_short_is_found_before_it_is_mapped(store):
    path = store.folder / "train_inputs.npy"
    path.write_bytes(path.read_bytes()[:-1])
    assert "train_inputs.npy has" in refusal(store)


def test_a_missing_file_is_named(store):
    (store.folder / "test_labels.npy").unlink()
    assert "test_labels.npy cannot be read: No such file" in refusal(store)


@pytest.mark.parametrize("label", [-1, 2])
def test_labels_out_of_range_are_refused(store, label):
    replace_array(store, "train_labels.npy", np.full(17, label, dtype=np.int64))
    assert "labels that are no class's number" in refusal(store)


def test_pixels_of_another_type_or_shape_are_refused(store):
    replace_array(store, "train_inputs.npy", np.zeros((17, 8, 8, 3), dtype=np.float32))
    assert "type float32" in refusal(store)
    replace_array(store, "train_inputs.npy", np.zeros((17, 8, 9, 3), dtype=np.uint8))
    assert "shape (17, 8, 9, 3)" in refusal(store)


def test_an_array_of_pickled_objects_is_not_loaded(store):
    replace_array(store, "train_inputs.npy", np.array([{}], dtype=object))
    assert "train_inputs.npy" in refusal(store)


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index.pop("shape"),
        lambda index: index.update(shape=[8, 8]),
        lambda index: index.update(shape="888"),
        lambda index: index.update(mean=[0.5]),
        lambda index: index.update(mean=[0.5, 0.5, "x"]),
        lambda index: index.update(std=[0, 0.5, 0.5]),
        lambda index: index.update(classes=["cat"]),
        lambda index: index.update(classes=None),
        lambda index: index.update(duplicates="many"),
        lambda index: index["files"].pop("test_inputs.npy"),
        lambda index: index["files"].update({"../../etc/passwd": {"sha256": "", "size": 0}}),
        lambda index: index["manifest"]["files"].update(train=["one"]),
        lambda index: index["manifest"]["files"].update(train=[1] * 17),
        lambda index: index["manifest"]["files"].update(train=None),
        lambda index: index["manifest"].pop("split_seed"),
        lambda index: index.update(manifest=[]),
        lambda index: index.pop("manifest"),
    ],
)
def test_an_index_that_is_not_as_it_was_written_is_refused(store, change):
    def both(index):
        index["digest"] = content_digest(index)
        change(index)

    rewrite(store, both, signed=False)
    assert "store.json is not as it was written" in refusal(store)


def test_a_digest_that_does_not_fit_is_refused(store):
    rewrite(store, lambda index: index["classes"].reverse(), signed=False)
    assert "(digest)" in refusal(store)


@pytest.mark.parametrize("text", ["[]", "null", '"store"', "{}"])
def test_an_index_of_another_kind_is_refused(store, text):
    (store.folder / "store.json").write_text(text)
    assert "store.json is not as it was written" in refusal(store)


def test_an_index_that_is_no_json_is_refused(store):
    (store.folder / "store.json").write_text("{")
    with pytest.raises(UserError, match=r"store\.json is not valid JSON"):
        open_store(store.folder)


def test_an_index_nested_a_thousand_deep_is_refused(store):
    (store.folder / "store.json").write_text("[" * 100_000 + "]" * 100_000)
    assert "store.json is not valid JSON" in refusal(store)


def test_an_index_that_is_gone_leaves_a_damaged_store_and_no_folder_of_images(store, prepared):
    (store.folder / "store.json").unlink()
    assert "store.json cannot be read: No such file" in refusal(store)
    assert is_store(store.folder)
    with pytest.raises(DamagedStoreError, match=r"the prepared store \S+ is damaged"):
        prepared(store.folder)


def test_arrays_beside_class_folders_are_no_store(pets, prepared):
    np.save(pets / "train_inputs.npy", np.zeros(3))
    assert not is_store(pets)
    assert prepared(pets).classes == ("cat", "dog")


@pytest.mark.parametrize("name", ["store.json", "train_inputs.npy"])
def test_a_disk_that_cannot_be_read_is_no_damage(store, name):
    # As root there is no file without permission; a path that is too long fails in the same way.
    (store.folder / name).unlink()
    (store.folder / name).symlink_to("x" * 300)
    with pytest.raises(UserError, match=r"cannot be (opened|read)") as caught:
        open_store(store.folder)
    assert not isinstance(caught.value, DamagedStoreError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
@pytest.mark.parametrize("name", ["store.json", "train_inputs.npy"])
def test_a_store_without_permission_is_no_damage(store, name):
    (store.folder / name).chmod(0)
    with pytest.raises(UserError, match="Permission denied") as caught:
        open_store(store.folder)
    assert not isinstance(caught.value, DamagedStoreError)


def test_another_format_is_refused_by_its_number(store):
    rewrite(store, lambda index: index.update(format=99))
    assert "has format 99; this version reads format 1" in refusal(store)


def test_the_digest_depends_on_what_can_change_a_number_and_on_nothing_else(store):
    index = json.loads((store.folder / "store.json").read_text())
    assert content_digest(index) == store.digest
    unimportant = index | {"duplicates": 5, "image_size": 8, "manifest": None, "digest": ""}
    assert content_digest(unimportant) == store.digest
    for name, value in {"classes": ["a", "b"], "shape": [1, 1, 1], "mean": [0, 0, 0], "std": [1, 1, 1]}.items():
        assert content_digest(index | {name: value}) != store.digest


def test_a_store_that_replaces_one_in_use_does_not_change_it(store):
    inputs = open_store(store.folder).splits["train"].inputs
    before = np.array(inputs)
    files.write_bytes(store.folder / "train_inputs.npy", b"something else")
    assert np.array_equal(inputs, before)


@pytest.fixture
def resized(pets, prepared, picture):
    """A store of images of two sizes, whose files lie open."""
    picture(pets / "cat" / "0.png", 12, 20)
    return prepared(pets)


def test_heights_and_widths_of_the_files_are_kept_where_they_differ_and_are_no_part_of_the_version(resized):
    sizes = np.concatenate([split.sizes for split in resized.splits.values()])
    names = [name for split in resized.splits.values() for name in split.names]
    assert {name: tuple(size) for name, size in zip(names, sizes.tolist(), strict=True)} == {
        name: (12, 20) if name == "cat/0.png" else (8, 8) for name in names
    }
    index = json.loads((resized.folder / "store.json").read_text())
    without = {name: entry for name, entry in index["files"].items() if "sizes" not in name}
    assert content_digest(index | {"files": without}) == resized.digest


def test_damaged_heights_and_widths_are_found(resized):
    for path in resized.folder.iterdir():
        path.chmod(0o644)
    replace_array(resized, "test_sizes.npy", np.zeros((3, 2), np.int32))
    assert "test_sizes.npy holds no heights and widths" in refusal(resized)


def test_images_of_one_size_have_no_heights_and_widths(store):
    assert all(split.sizes is None for split in store.splits.values())


@pytest.fixture
def grouped(pets, prepared):
    rows = [f"pets/{kind}/{number}.png,{kind},p{number // 2}" for kind in ("cat", "dog") for number in range(10)]
    (pets.parent / "m.csv").write_text("\n".join(["image,label,patient", *rows]) + "\n")
    opened = prepared(pets.parent / "m.csv", group_column="patient")
    for path in opened.folder.iterdir():
        path.chmod(0o644)
    return opened


def test_groups_are_part_of_the_digest_and_are_read_again(grouped):
    train = open_store(grouped.folder).splits["train"]
    assert [int(name[-5]) // 2 for name in train.names if name.startswith("pets/cat")] == sorted(
        int(name[-5]) // 2 for name in train.names if name.startswith("pets/cat")
    )
    groups = {}
    for name, group in zip(train.names, train.groups, strict=True):
        assert groups.setdefault(int(name[-5]) // 2, group) == group
    assert sorted(groups.values()) == list(range(len(groups)))
    index = json.loads((grouped.folder / "store.json").read_text())
    index["files"]["train_groups.npy"]["sha256"] = "0" * 64
    assert content_digest(index) != grouped.digest


@pytest.mark.parametrize("wrong", [[0], [-1] * 16, [0.5] * 16])
def test_groups_that_are_no_groups_are_damage(grouped, wrong):
    replace_array(grouped, "train_groups.npy", np.array(wrong))
    assert "train_groups.npy holds no group for each example" in refusal(grouped)
