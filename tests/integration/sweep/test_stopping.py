"""Whatever stops a sweep or one of its processes, nothing is left running, and the same command ends it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from image_classifier import load_run, train
from image_classifier.cpus import available_cpus

GRID = "dataset_folder: digits\nmodel: cnn\nlearning_rate: [0.01, 0.02, 0.03]\nnum_epochs: 16\nbatch_size: 128\n"
NAMES = [f"learning_rate-{rate}" for rate in ("0.01", "0.02", "0.03")]
PATIENCE = 120  # seconds; a machine that is busy with other things is waited for


def processes(folder):
    """The processes that work in a folder."""
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            # What has ended and is not yet waited for has no folder any more.
            if entry.name.isdecimal() and (entry / "cwd").resolve() == folder.resolve():
                found.add(int(entry.name))
    return found


def until(what, condition):
    for _ in range(PATIENCE * 20):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not in {PATIENCE} s")


def epochs(folder, name):
    history = folder / "experiments/s" / name / "training_history.csv"
    return history.read_text().count("\n") - 1 if history.is_file() else 0


def started(folder):
    """A sweep of two at a time, in a process group of its own, as a shell would make it."""
    script = "from image_classifier.main import main; raise SystemExit(main())"
    flags = ["--config", "grid.yaml", "--experiment_name", "s", "-j", "2", "--cache_folder", "cache"]
    with (folder / "log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-c", script, "sweep", *flags], cwd=folder, stdout=log, stderr=log, process_group=0
        )


def worker_of(folder, name):
    """The process that holds the lock of a run's folder."""
    inode = (folder / "experiments/s" / name).stat().st_ino
    held = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return next(int(line[4]) for line in held if line[1] == "FLOCK" and line[5].split(":")[2] == str(inode))


def gone(folder):
    return not processes(folder)


def load_record(folder, name):
    return json.loads((folder / "experiments/s" / name / "run.json").read_text())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stopped")
    (folder / "grid.yaml").write_text(GRID)
    return folder


def test_a_killed_worker_loses_its_run_only_and_ctrl_c_stops_the_rest_after_a_checkpoint(place):
    process = started(place)
    until("two runs are at work", lambda: epochs(place, NAMES[0]) > 1 and epochs(place, NAMES[1]) > 1)
    os.kill(worker_of(place, NAMES[0]), signal.SIGKILL)
    until("the third run has a new worker", lambda: epochs(place, NAMES[2]) > 1)
    told = (place / "log").read_text()
    assert f"1/3  {NAMES[0]}  failed: the process that trained it was killed by SIGKILL" in told
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.wait(PATIENCE) == 130
    until("all processes are gone", lambda: gone(place))
    for name in NAMES[1:]:
        assert (place / "experiments/s" / name / "checkpoint.pth").is_file()
    assert json.loads((place / "experiments/s/sweep.json").read_text())["status"] == "unfinished"
    told = (place / "log").read_text()
    assert "stopped by SIGINT" in told
    assert "Traceback" not in told
    assert "resource_tracker" not in told


def going_on(folder):
    """A sweep that is given again, once one of its runs has come further; and that run."""
    before = {name: epochs(folder, name) for name in NAMES}
    process = started(folder)
    return process, until("a run goes on", lambda: [name for name in NAMES if epochs(folder, name) > before[name]])[0]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_whole_group_and_a_kill_of_the_sweep_stop_its_runs_after_a_checkpoint(place, how):
    process, name = going_on(place)
    if how == signal.SIGTERM:
        os.killpg(process.pid, how)  # as `timeout` does
    else:
        process.kill()
    assert process.wait(PATIENCE) == (143 if how == signal.SIGTERM else -9)
    until("all processes are gone", lambda: gone(place))
    assert load_record(place, name)["status"] == "unfinished", "it was trained on to its end"
    assert (place / "experiments/s" / name / "checkpoint.pth").is_file()
    assert "Traceback" not in (place / "log").read_text()


def test_the_same_command_ends_it_with_the_bits_of_an_undisturbed_run(place):
    process = started(place)
    assert process.wait(600) == 0, (place / "log").read_text()
    until("all processes are gone", lambda: gone(place))
    threads = str(max(1, available_cpus() // 2))
    name = NAMES[0]
    alone = train(
        model="cnn", learning_rate=0.01, num_epochs=16, batch_size=128, num_threads=threads,
        dataset_folder="digits", experiment_name="alone", run_name="r",
        experiments_folder=place / "experiments", cache_folder=place / "cache",
    )  # fmt: skip
    child = load_run(place / "experiments/s" / name)
    for file in ("model.pth", "predictions.npz", "metrics.json"):
        assert child.path(file).read_bytes() == alone.path(file).read_bytes(), file
    assert child.record["resumed"], "it was killed, and went on"
    assert json.loads((place / "experiments/s/sweep.json").read_text())["failures"] == []
    assert not list((place / "experiments/s").glob("*/checkpoint*"))
