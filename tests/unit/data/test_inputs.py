"""Images of all sorts become rows of one size."""

import numpy as np
import pytest

from image_classifier.data import inputs
from image_classifier.data.examples import Examples, ImageFile
from image_classifier.data.tables import Column, Table
from image_classifier.errors import UserError

pytestmark = pytest.mark.unit


def examples(images):
    return Examples(np.zeros(len(images), np.int64), images)


@pytest.fixture
def drawn(tmp_path, picture):
    """drawn(size, …) are image files of these (height, width), and what Pillow reads from them."""

    def draw(*sizes):
        paths = [tmp_path / "images" / f"{number}.png" for number in range(len(sizes))]
        pixels = [picture(path, *size) for path, size in zip(paths, sizes, strict=True)]
        return [ImageFile(str(path), path.stat().st_size) for path in paths], pixels

    return draw


def test_a_new_array_is_a_file_that_numpy_opens(tmp_path):
    array = inputs.new_array(tmp_path / "a.npy", (2, 3), np.float32)
    array[:] = [[1, 2, 3], [4, 5, 6]]
    array.flush()
    found = np.load(tmp_path / "a.npy")
    assert found.dtype == np.float32
    assert found.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("size", [(8, 8), (6, 10)])
def test_images_of_one_size_keep_it(tmp_path, drawn, size):
    files, pixels = drawn(size, size)
    assert inputs.write_inputs(tmp_path, {"train": examples(files)}, None, quiet=True) == (*size, 3)
    assert np.array_equal(np.load(tmp_path / "train_inputs.npy"), pixels)


def test_images_of_several_sizes_or_of_a_wanted_one_become_square(tmp_path, drawn):
    files, _ = drawn((8, 8), (6, 10))
    assert inputs.write_inputs(tmp_path, {"train": examples(files)}, None, quiet=True) == (64, 64, 3)
    assert np.load(tmp_path / "train_sizes.npy").tolist() == [[8, 8], [6, 10]]
    for name in ("inputs", "sizes"):
        (tmp_path / f"train_{name}.npy").unlink()
    assert inputs.write_inputs(tmp_path, {"train": examples(files)}, 5, quiet=True) == (5, 5, 3)
    assert np.load(tmp_path / "train_inputs.npy").shape == (2, 5, 5, 3)


def test_pixels_are_stored_as_they_are(tmp_path, noise):
    gray = np.stack([noise()[..., :1] for _ in range(3)])
    assert inputs.write_inputs(tmp_path, {"train": examples(gray)}, None, quiet=True) == (8, 8, 1)
    assert np.array_equal(np.load(tmp_path / "train_inputs.npy"), gray)


def test_rows_of_a_table_are_stored_as_numbers(tmp_path):
    table = Table({"length": np.array([0.5, 2.0])})
    assert inputs.write_rows(tmp_path, {"test": examples(table)}, [Column("length")], "t.csv") == (1, 1, 1)
    assert np.load(tmp_path / "test_inputs.npy").ravel().tolist() == [0.5, 2.0]


def test_rows_are_the_same_however_many_are_written_at_once(tmp_path, monkeypatch):
    columns = [Column("length"), Column("colour", ("blue", "red"))]
    table = Table({"length": np.arange(5.0), "colour": np.array(["red", "blue", "red", "green", "red"], object)})
    monkeypatch.setattr(inputs, "_ROWS_AT_ONCE", 2)
    assert inputs.write_rows(tmp_path, {"test": examples(table)}, columns, "t.csv") == (1, 1, 3)
    expected = [[0, 0, 1], [1, 1, 0], [2, 0, 1], [3, 0, 0], [4, 0, 1]]
    assert np.load(tmp_path / "test_inputs.npy").reshape(5, 3).tolist() == expected


def test_all_that_cannot_be_used_is_named_in_one_error(tmp_path, drawn):
    files, _ = drawn((8, 8), (8, 8), (8, 8))
    for file in files[1:]:
        (tmp_path / "images" / file.path).write_text("x")
    with pytest.raises(UserError, match="2 of 3 files cannot be used") as caught:
        inputs.write_inputs(tmp_path, {"train": examples(files)}, None, quiet=True)
    assert all(file.path in caught.value.what for file in files[1:])
    assert files[0].path not in caught.value.what


def test_work_is_cut_into_parts_by_number_and_by_bytes():
    small = [ImageFile("s", 1)] * 600
    assert [(start, len(part)) for start, part in inputs._parts(small)] == [(0, 256), (256, 256), (512, 88)]
    large = [ImageFile("l", 3_000_000)] * 3
    assert [(start, len(part)) for start, part in inputs._parts(large)] == [(0, 1), (1, 1), (2, 1)]
