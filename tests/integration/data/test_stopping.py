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


def wait_until(condition):
    for _ in range(1000):
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stopped_process_leaves_no_store_and_no_orphan(tmp_path, how):
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        for number in range(40):
            path = tmp_path / "big" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (300, 300, 3), np.uint8)).save(path)
    root = Path(__file__).resolve().parents[3]
    program = subprocess.Popen(
        [sys.executable, "-c", PREPARE, str(tmp_path / "big"), str(tmp_path / "cache")],
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
    again = prepare(str(tmp_path / "big"), image_size=4, split_seed=0, cache_folder=tmp_path / "cache", quiet=True)
    assert len(again.splits["train"].labels) == 68
