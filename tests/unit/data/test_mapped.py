"""Rows of arrays that lie in files: what they are, what is read ahead, and files that are cut short."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest

from image_classifier.data.mapped import MappedRows, refuse_cut_short
from image_classifier.errors import UserError

pytestmark = pytest.mark.unit

ROW = 3000


@pytest.fixture
def stored(tmp_path):
    """An array of 2,000 rows, in memory and mapped from a file that the kernel does not hold."""
    values = np.random.default_rng(0).integers(0, 256, (2000, ROW), np.uint8)
    path = tmp_path / "rows.npy"
    np.save(path, values)
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return values, np.lib.format.open_memmap(path, mode="r"), path


def waits():
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


def test_rows_are_those_of_the_array_whether_it_is_mapped_or_not(stored):
    values, mapped, _ = stored
    chosen = np.array([1999, 0, 7, 7, 8])
    for array in (values, mapped, mapped[:2000], np.asarray(mapped)):
        rows = MappedRows(array)
        with rows.scattered():
            assert np.array_equal(rows.take(chosen), values[chosen])
            rows.ask(chosen)
            assert np.array_equal(rows.take(chosen), values[chosen])
    rows = MappedRows(mapped[100:])
    rows.ask(np.array([1899, 3]))
    assert np.array_equal(rows.take(np.array([1899, 3])), values[[1999, 103]])


def test_rows_that_were_asked_for_are_not_waited_for(stored):
    values, mapped, _ = stored
    rows, spread = MappedRows(mapped), np.random.default_rng(1).permutation(2000)
    with rows.scattered():
        before = waits()
        rows.take(spread[:200])
        if waits() == before:
            pytest.skip("this disk is memory: nothing is ever waited for")
        rows.ask(spread[200:400])
        before = waits()
        assert np.array_equal(rows.take(spread[200:400]), values[spread[200:400]])
        asked = waits() - before
        rows.take(spread[400:600])
        assert asked * 10 < waits() - before


def test_scattered_reading_brings_little_more_than_the_rows(stored):
    _, mapped, _ = stored
    rows = MappedRows(mapped)

    def read():
        lines = Path("/proc/self/io").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("read_bytes")).split()[1])

    with rows.scattered():
        before = read()
        rows.take(np.arange(0, 2000, 100))
        assert read() - before <= 20 * 3 * os.sysconf("SC_PAGESIZE")


def test_a_file_that_was_cut_short_is_refused_with_its_name_and_sizes(stored):
    values, mapped, path = stored
    whole, half = path.stat().st_size, path.stat().st_size // 2
    os.truncate(path, half)
    with pytest.raises(UserError, match=f"rows.npy was cut short.*{half} bytes, {whole} are needed") as caught:
        MappedRows(mapped).take(np.array([0]))
    assert "--resume" in caught.value.hint
    for part in (mapped, np.asarray(mapped)[1500:]):
        with pytest.raises(UserError, match="cut short"):
            refuse_cut_short(part)
    refuse_cut_short(mapped[:900])
    refuse_cut_short(values)


def test_a_file_that_is_removed_stays_readable(stored):
    values, mapped, path = stored
    path.unlink()
    assert np.array_equal(MappedRows(mapped).take(np.array([5, 1500])), values[[5, 1500]])
