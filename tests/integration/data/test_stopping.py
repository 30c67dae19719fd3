"""Tests of `prepare` being stopped from outside: no half store, no orphan."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier.data.preparing import prepare
from image_classifier.data.store import open_store

PREPARE = """
import signal
import sys
from pathlib import Path
from image_classifier.data import workers
from image_classifier.data.preparing import prepare
workers.SMALL_BYTES = 0
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
prepare(sys.argv[1], image_size=900, split_seed=0, cache_folder=Path(sys.argv[2]), quiet=True)
"""


def running(text):
    """The processes whose command line holds the text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if text in command:
            found.append(int(path.parent.name))
    return found


def wait_until(condition, pause=0.01):
    for _ in range(int(10 / pause)):
        if condition():
            return True
        time.sleep(pause)
    return False


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Two class folders of 40 images of noise each, 21 MB."""
    folder, random = tmp_path_factory.mktemp("images") / "big", np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(40):
            image = Image.fromarray(random.integers(0, 256, (300, 300, 3), np.uint8))
            image.save(folder / name / f"{number}.png", compress_level=1)
    return folder


@pytest.fixture(scope="module")
def truth(big, tmp_path_factory):
    """The digest of its store at 64 pixels."""
    cache = tmp_path_factory.mktemp("cache")
    return prepare(str(big), image_size=64, split_seed=0, cache_folder=cache, quiet=True).digest


@pytest.fixture
def started(tmp_path, repository):
    """started(*words) is `prepare` at 64 pixels in a process of its own, and the file that it says everything to."""
    running, cache = [], ["--cache_folder", tmp_path / "cache", "--image_size", "64"]

    def start(*words):
        said = tmp_path / f"{len(running)}.txt"
        command = [
            sys.executable,
            "-c",
            "from image_classifier.main import main; exit(main())",
            "prepare",
            *words,
            *cache,
        ]
        with said.open("w") as stream:
            program = subprocess.Popen(
                command, env=os.environ | {"PYTHONPATH": str(repository)}, stdout=stream, stderr=stream
            )
        running.append(program)
        return program, said

    yield start
    for program in running:
        program.kill()
        program.wait()


def stopped_while_preparing(started, *words):
    program, said = started(*words)
    assert wait_until(lambda: "preparing 80 examples" in said.read_text(), 0.001)
    program.send_signal(signal.SIGSTOP)
    assert program.poll() is None
    return program, said


def test_two_that_prepare_the_same_at_once_do_it_once(started, big, truth, tmp_path):
    words = ["--dataset_folder", big, "--output", tmp_path / "made"]
    first, first_said = stopped_while_preparing(started, *words)
    second, second_said = started(*words)
    third, third_said = started(*words)
    for said in (second_said, third_said):
        assert wait_until(lambda said=said: "another process prepares this data: waiting" in said.read_text())
    third.send_signal(signal.SIGTERM)
    assert third.wait(5) == 143
    first.send_signal(signal.SIGCONT)
    assert (first.wait(60), second.wait(60)) == (0, 0)
    assert "preparing 80" not in second_said.read_text()
    assert [said.read_text().split()[-1] for said in (first_said, second_said)] == [truth] * 2
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_who_waits_takes_over_from_one_that_is_killed(started, big, truth):
    first, _ = stopped_while_preparing(started, "--dataset_folder", big)
    second, said = started("--dataset_folder", big)
    assert wait_until(lambda: "another process prepares this data: waiting" in said.read_text())
    assert "preparing 80" not in said.read_text()
    first.kill()
    assert second.wait(60) == 0
    assert "preparing 80" in said.read_text()
    assert said.read_text().split()[-1] == truth


def test_other_data_that_come_into_the_output_meanwhile_are_kept_and_told(started, big, tmp_path):
    made = tmp_path / "made"
    first, said = stopped_while_preparing(started, "--dataset_folder", big, "--output", made)
    asked = {"image_size": None, "split_seed": 0, "cache_folder": tmp_path / "cache"}
    other = prepare("digits", output=made, quiet=True, **asked)
    first.send_signal(signal.SIGCONT)
    assert first.wait(60) == 2
    assert f"another process has put other data into {made}" in said.read_text()
    assert open_store(made).digest == other.digest


@pytest.mark.parametrize("database", [False, True])
def test_what_a_kill_leaves_goes_and_the_next_run_makes_the_same(
    started, big, truth, tmp_path, repository, monkeypatch, database
):
    words, left = ["--dataset_folder", big], 1
    if database:
        monkeypatch.chdir(tmp_path)
        fill = [sys.executable, repository / "examples/database/fill.py", big]
        subprocess.run(fill, env=os.environ | {"PYTHONPATH": str(repository)}, check=True)
        words, left = ["--dataset_folder", "database"], 2
    first, _ = started(*words)
    cache = tmp_path / "cache"
    assert wait_until(lambda: list(cache.glob(".*.tmp/train_inputs.npy")), 0.001)
    first.kill()
    assert first.wait() == -signal.SIGKILL
    found = list(cache.iterdir())
    assert len(found) == left + 1  # the store in the making, the rows' images, and the lock
    for path in found:
        os.utime(path, (0, 0))
    again, said = started(*words)
    assert again.wait(60) == 0
    assert said.read_text().split()[-1] == truth
    assert [path for path in cache.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stopped_process_leaves_no_store_and_no_orphan(big, tmp_path, how):
    root = Path(__file__).resolve().parents[3]
    program = subprocess.Popen(
        [sys.executable, "-c", PREPARE, str(big), str(tmp_path / "cache")],
        env=os.environ | {"PYTHONPATH": str(root)},
        stderr=subprocess.DEVNULL,
    )
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
    assert wait_until(lambda: len(children.read_text().split()) == min(2, len(os.sched_getaffinity(0))))
    workers = [int(child) for child in children.read_text().split()]
    program.send_signal(how)
    assert program.wait(10) != 0
    assert wait_until(lambda: not any(pid in running(b"image_classifier.data.decoding") for pid in workers))
    assert not [entry for entry in (tmp_path / "cache").iterdir() if not entry.name.startswith(".")]
    again = prepare(str(big), image_size=4, split_seed=0, cache_folder=tmp_path / "cache", quiet=True)
    assert len(again.splits["train"].labels) == 68
