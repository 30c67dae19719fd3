"""Tests of the decoding processes: same result as without them, and a report when one dies."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from image_classifier import cpus
from image_classifier.data import workers as room
from image_classifier.data.examples import ImageFile
from image_classifier.data.inputs import new_array
from image_classifier.errors import UserError


@pytest.fixture
def processes(monkeypatch):
    """Two worker processes however little there is to do."""
    monkeypatch.setattr(room, "SMALL_BYTES", 0)
    monkeypatch.setattr(room, "available_cpus", lambda: 2)


@pytest.fixture
def chunks(tmp_path, picture):
    """Three images in one chunk each, and the array that they belong into."""
    truth = [picture(tmp_path / "images" / f"{number}.jpg") for number in range(3)]
    array = new_array(tmp_path / "x.npy", (3, 8, 8, 3), np.uint8)
    paths = [str(tmp_path / "images" / f"{number}.jpg") for number in range(3)]
    about = {"array": str(tmp_path / "x.npy"), "height": 8, "width": 8, "native": True}
    about |= {"interpolation": "bilinear", "crop": 1.0}
    questions = [
        about | {"start": array.offset + row * 192, "first": row, "images": [ImageFile(paths[row], 0)]}
        for row in range(3)
    ]
    return questions, (np.stack(truth), array)


def test_processes_write_what_pillow_reads(chunks, processes):
    questions, (truth, array) = chunks
    answers = list(room.decoded(questions, 1000))
    assert sorted(answer["count"] for answer in answers) == [1, 1, 1]
    assert np.array_equal(array, truth)


def test_processes_and_this_process_make_the_same_store(pets, prepared, tmp_path, monkeypatch):
    alone = prepared(pets)
    monkeypatch.setattr(room, "SMALL_BYTES", 0)
    monkeypatch.setattr(room, "available_cpus", lambda: 2)
    assert prepared(pets, cache_folder=tmp_path / "other").digest == alone.digest


def test_a_broken_file_with_an_odd_name_comes_back_from_a_process(chunks, processes, tmp_path):
    questions, _ = chunks
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.jpg")
    Path(name).write_bytes(b"x")
    questions[1]["images"] = [ImageFile(name, 1)]
    failures = [failure for answer in room.decoded(questions, 1000) for failure in answer["failures"]]
    assert [place for place, _ in failures] == [0]


def test_a_process_that_dies_is_an_error_that_names_the_files(chunks, processes, monkeypatch):
    questions, _ = chunks
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(UserError, match=r"ended \(exit status 1\) between .*\.jpg"):
        list(room.decoded(questions, 1000))


def test_leaving_early_ends_the_processes(chunks, processes):
    questions, _ = chunks
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = set(children.read_text().split())
    answers = room.decoded(questions, 1000)
    next(answers)
    assert len(set(children.read_text().split()) - before) == 2
    answers.close()
    assert set(children.read_text().split()) <= before


def test_there_are_no_more_processes_than_a_containers_quota_allows(chunks, monkeypatch, tmp_path):
    questions, _ = chunks
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    monkeypatch.setattr(room, "SMALL_BYTES", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(cpus, "_QUOTA", tmp_path / "cpu.max")
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text()
    answers = room.decoded(questions, 1000)
    next(answers)
    assert children.read_text() == before
    answers.close()


def test_a_process_starts_without_numpy():
    code = "import sys, image_classifier.data.decoding; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
