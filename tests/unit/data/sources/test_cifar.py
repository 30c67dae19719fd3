"""Tests of the CIFAR-10 batches: real pickles, good, broken and hostile."""

import json
import pickle
import shutil
import struct

import numpy as np
import pytest

from image_classifier.data.sources.cifar import NAMES, is_cifar
from image_classifier.errors import UserError

BATCHES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]


def batch(number, protocol=2, count=4):
    random = np.random.default_rng(number)
    data = random.integers(0, 256, (count, 3072), np.uint8)
    content = {b"data": data, b"labels": [number % 10] * count, b"batch_label": b"a batch"}
    return pickle.dumps(content, protocol=protocol), data


@pytest.fixture
def cifar(tmp_path):
    folder = tmp_path / "cifar" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for number, name in enumerate(BATCHES):
        (folder / name).write_bytes(batch(number)[0])
    return tmp_path / "cifar"


def refusal(prepared, folder):
    with pytest.raises(UserError) as caught:
        prepared(folder)
    assert caught.value.hint
    return caught.value.what


def test_the_rows_become_images_in_order(cifar, prepared):
    store = prepared(cifar)
    assert store.shape == (32, 32, 3)
    assert store.splits["train"].labels.tolist() == sorted([0, 1, 2, 3, 4] * 4)
    assert store.splits["test"].labels.tolist() == [5] * 4
    row = batch(1)[1][2]
    image = store.splits["train"].inputs[4 + 2]
    # As the CIFAR page says: 1024 red values row by row, then green, then blue.
    assert image[3, 5].tolist() == [row[3 * 32 + 5], row[1024 + 3 * 32 + 5], row[2048 + 3 * 32 + 5]]


@pytest.mark.parametrize("protocol", range(6))
def test_every_pickle_protocol_is_read(cifar, prepared, protocol):
    content, data = batch(5, protocol)
    (cifar / "cifar-10-batches-py" / "test_batch").write_bytes(content)
    stored = prepared(cifar).splits["test"].inputs
    assert np.array_equal(stored, data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def python_2_pickle(data, labels):
    """What Python 2 and its numpy wrote (protocol 2, byte strings): the format of the published files."""

    def text(value):
        return (b"U" + bytes([len(value)]) if len(value) < 256 else b"T" + struct.pack("<i", len(value))) + value

    shape = b"K" + bytes([len(data)]) + b"M" + struct.pack("<H", data.shape[1]) + b"\x86"
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNN"
    dtype += b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    array += b"(K\x01" + shape + dtype + b"\x89" + text(data.tobytes()) + b"tb"
    listed = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + listed + b"u."


def test_what_python_2_wrote_is_read(cifar, prepared):
    data = batch(9)[1]
    (cifar / "cifar-10-batches-py" / "test_batch").write_bytes(python_2_pickle(data, [0, 9, 1, 2]))
    split = prepared(cifar).splits["test"]
    assert np.array_equal(split.inputs, data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    assert split.labels.tolist() == [0, 9, 1, 2]


def test_class_names_come_from_metadata_then_from_the_batches_then_are_the_well_known(cifar, prepared):
    assert prepared(cifar).classes == NAMES
    names = [f"class {number}" for number in range(10)]
    (cifar / "cifar-10-batches-py" / "batches.meta").write_bytes(pickle.dumps({"label_names": names}, protocol=2))
    assert prepared(cifar).classes == tuple(names)
    (cifar / "metadata.json").write_text(json.dumps({"classes": names[::-1]}))
    assert prepared(cifar).classes == tuple(names[::-1])


@pytest.mark.parametrize("key", ["classes", "class_names", "label_names", None])
def test_metadata_may_name_its_list_in_any_usual_way(cifar, prepared, key):
    names = list("abcdefghij")
    (cifar / "metadata.json").write_text(json.dumps({key: names} if key else names))
    assert prepared(cifar).classes == tuple(names)


@pytest.mark.parametrize(
    "content",
    ["{}", "[]", "3", '{"classes": "abc"}', '["a"]', json.dumps([1] * 10), json.dumps(["a"] * 10), "{", "null"],
)
def test_metadata_without_ten_different_names_is_refused(cifar, prepared, content):
    (cifar / "metadata.json").write_text(content)
    with pytest.raises(UserError, match=r"metadata\.json"):
        prepared(cifar)


@pytest.mark.parametrize("name", BATCHES)
def test_a_missing_batch_is_named(cifar, prepared, name):
    (cifar / "cifar-10-batches-py" / name).unlink()
    assert refusal(prepared, cifar).endswith(f"{name} is missing")


@pytest.mark.parametrize("keep", [0, 1, 100, 5000, 12000])
def test_a_truncated_batch_is_named(cifar, prepared, keep):
    path = cifar / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(path.read_bytes()[:keep])
    assert "data_batch_3 cannot be read as a pickle of arrays" in refusal(prepared, cifar)


@pytest.mark.parametrize("senseless", [b"\x80\x02}q\x00(U\x04dataK\x01U\x06labelsK\x02u.", b"]q\x00h\x00a.", b"N."])
def test_senseless_pickles_are_refused(cifar, prepared, senseless):
    (cifar / "cifar-10-batches-py" / "data_batch_1").write_bytes(senseless)
    assert "data_batch_1 holds" in refusal(prepared, cifar)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data": np.zeros((4, 3072), np.float32)}, "not rows of 3072 bytes"),
        ({"data": np.zeros((4, 3071), np.uint8)}, "not rows of 3072 bytes"),
        ({"data": [[0] * 3072] * 4}, "not rows of 3072 bytes"),
        ({"labels": [1, 2, 3]}, "one label for each of its 4 images"),
        ({"labels": [1.5] * 4}, "one label for each"),
        ({"labels": ["cat"] * 4}, "one label for each"),
        ({"labels": [0, 1, 2, 10]}, "labels from 0 to 10"),
        ({"labels": [0, 1, 2, -1]}, "labels from -1 to 2"),
        ({"data": np.zeros((0, 3072), np.uint8), "labels": []}, "one label for each of its 0 images"),
    ],
)
def test_batches_of_another_shape_or_with_other_labels_are_refused(cifar, prepared, change, reason):
    content = {"data": np.zeros((4, 3072), np.uint8), "labels": [0] * 4} | change
    (cifar / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(content, protocol=2))
    what = refusal(prepared, cifar)
    assert "test_batch" in what
    assert reason in what


def test_a_batch_without_labels_is_refused(cifar, prepared):
    (cifar / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps({"data": np.zeros((4, 3072), np.uint8)}))
    assert "holds no data and labels" in refusal(prepared, cifar)


def test_a_changed_batch_gives_a_new_store(cifar, prepared):
    before = prepared(cifar)
    (cifar / "cifar-10-batches-py" / "data_batch_2").write_bytes(batch(77)[0])
    assert prepared(cifar).digest != before.digest


def test_only_an_empty_or_default_place_is_one_to_download_to(tmp_path, cifar, monkeypatch):
    monkeypatch.chdir(tmp_path)
    default = type(tmp_path)("data/cifar_dataset")
    assert is_cifar(default)
    assert not is_cifar(tmp_path / "missing")
    (tmp_path / "new").mkdir()
    assert is_cifar(tmp_path / "new")
    (tmp_path / "new" / "metadata.json").write_text("[]")
    (tmp_path / "new" / ".gitkeep").write_text("")
    assert is_cifar(tmp_path / "new")
    (tmp_path / "new" / "cat").mkdir()
    assert not is_cifar(tmp_path / "new")
    assert is_cifar(cifar)


def test_the_default_folder_of_a_clone_names_the_classes_and_waits_for_the_batches(cifar, prepared, repository):
    default = repository / "data" / "cifar_dataset"
    names = json.loads((default / "metadata.json").read_text())["classes"]
    assert names == ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    shutil.copy(default / "metadata.json", cifar)
    assert prepared(cifar).classes == tuple(names)
    shutil.rmtree(cifar / "cifar-10-batches-py")
    assert is_cifar(cifar)
