"""Pickles of arrays are read; what could run code is refused, and does not run."""

import os
import pickle

import numpy as np
import pytest

from image_classifier.data.sources.unpickling import read_arrays
from image_classifier.errors import UserError

pytestmark = pytest.mark.unit


@pytest.fixture
def batch(tmp_path):
    """Writes a pickle's bytes to a file."""

    def write(data):
        (tmp_path / "data_batch_1").write_bytes(data)
        return tmp_path / "data_batch_1"

    return write


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_and_plain_values_come_back_with_texts_as_keys(batch, protocol):
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    read = read_arrays(batch(pickle.dumps({b"data": array, b"labels": [1, 2], b"names": [b"a"]}, protocol)))
    assert list(read) == ["data", "labels", "names"]
    assert np.array_equal(read["data"], array)
    assert (read["labels"], read["names"]) == ([1, 2], ["a"])


class Command:
    """Runs a command when it is unpickled by an unpickler that lets it."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_pickle_that_would_run_a_command_is_refused_and_does_not(batch, tmp_path):
    hostile = pickle.dumps({"data": Command(f"touch {tmp_path / 'harm'}"), "labels": []})
    with pytest.raises(UserError, match=r"asks for posix\.system"):
        read_arrays(batch(hostile))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "hostile",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntS'b'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I99999999999\ntS'b'\ntR.",
        b"c_codecs\nencode\n(Vx\nVzlib\ntR.",
        b"cnumpy.core.multiarray.x\n_reconstruct\n.",
    ],
)
def test_hostile_pickles_are_refused_where_they_ask(batch, hostile):
    with pytest.raises(UserError, match="data_batch_1 cannot be read as a pickle of arrays: it "):
        read_arrays(batch(hostile))


def test_a_missing_file_a_folder_and_half_a_pickle_are_named(batch, tmp_path):
    for path in (tmp_path / "missing", tmp_path, batch(pickle.dumps(np.zeros(100))[:50])):
        with pytest.raises(UserError, match=f"{path} cannot be read as a pickle of arrays"):
            read_arrays(path)
