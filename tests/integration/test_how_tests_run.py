"""The tests' own machinery: commands in forks are like processes, and two processes share what they should."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
import warm

SUITE = {
    "integration/docker/test_a.py": ["", ""],
    "integration/workflows/test_b.py": ["", ""],
    "integration/sweep/test_c.py": ["", "@pytest.mark.alone\n", ""],
    "unit/test_d.py": ["", "@pytest.mark.alone\n", ""],
    "unit/test_e.py": ["", ""],
}
TEST = """
{mark}def test_{number}(worker_id, request):
    with open({log!r}, "a") as log:
        print(f"begin {{worker_id}} {{request.node.nodeid}}", file=log, flush=True)
        time.sleep(0.1)
        print(f"end {{worker_id}} {{request.node.nodeid}}", file=log, flush=True)
"""


@pytest.fixture(scope="module")
def told(repository, tmp_path_factory):
    """What tests in two processes wrote when they began and ended, in that order: (word, process, file, number)."""
    folder = tmp_path_factory.mktemp("suite")
    log = folder / "log"
    for path, marks in SUITE.items():
        (folder / "tests" / path).parent.mkdir(parents=True, exist_ok=True)
        tests = [TEST.format(mark=mark, number=number, log=str(log)) for number, mark in enumerate(marks)]
        (folder / "tests" / path).write_text("import time\nimport pytest\n" + "".join(tests))
    shutil.copy(repository / "tests/conftest.py", folder / "tests")
    shutil.copy(repository / "pyproject.toml", folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "--numprocesses", "2"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 12 passed in " in done.stdout.splitlines()[-1]
    lines = [line.split() for line in log.read_text().splitlines()]
    return [(word, worker, *name.removeprefix("tests/").split("::test_")) for word, worker, name in lines]


def test_both_processes_work_and_those_that_share_something_are_in_one(told):
    workers = {path: {worker for _, worker, file, _ in told if file == path} for path in SUITE}
    assert set().union(*workers.values()) == {"gw0", "gw1"}
    assert all(len(each) == 1 for each in workers.values())
    assert workers["integration/docker/test_a.py"] == workers["integration/workflows/test_b.py"]


def test_one_that_is_marked_alone_runs_while_no_other_does(told):
    running, seen = set(), []
    for word, _, *name in told:
        running ^= {tuple(name)}
        if word == "begin":
            seen.append(set(running))
    alone = {("integration/sweep/test_c.py", "1"), ("unit/test_d.py", "1")}
    assert [len(each) for each in seen if each & alone] == [1, 1]
    assert max(map(len, seen)) == 2, "others do run together"


def test_a_fork_says_and_ends_as_a_process_does(tmp_path):
    code = "from image_classifier.main import main; raise SystemExit(main())"
    for words in (["config", "--model", "cnn"], ["trian"], []):
        process = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True)
        fork = warm.run("image_classifier", *words, folder=tmp_path)
        for part in ("returncode", "stdout", "stderr"):
            assert getattr(fork, part) == getattr(process, part), words


def test_a_fork_has_the_environment_it_is_given_and_nothing_of_another(tmp_path):
    given = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for _ in range(2):
        made = warm.run("image_classifier", "prepare", "--dataset_folder", "digits", folder=tmp_path, environment=given)
        assert made.returncode == 0, made.stderr
        assert "preparing" in made.stderr
        shutil.rmtree(tmp_path / "cache")


def test_who_calls_a_command_by_name_gets_its_streams_and_its_code(tmp_path):
    environment = os.environ | {"PATH": f"{warm.commands()}:{os.environ['PATH']}"}
    script = "image_classifier config --model cnn | head -n 1; image_classifier trian; echo $?"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.startswith("model: cnn")
    assert done.stdout.endswith("\n2\n")
    assert done.stderr.startswith("error: ")


def test_a_fork_that_nobody_waits_for_is_ended(tmp_path):
    long = ["--experiment_name", "e", "--run_name", "r", "--dataset_folder", "digits", "--model", "cnn"]
    with pytest.raises(TimeoutError):
        warm.run("image_classifier_trainer", *long, "--num_epochs", "10000", folder=tmp_path, timeout=5)
    record = json.loads((tmp_path / "experiments/e/r/run.json").read_text())
    assert record["status"] == "unfinished"
    for _ in range(100):
        again = warm.run("image_classifier_trainer", *long, "--resume", "--num_epochs", "1", folder=tmp_path)
        if "in use" not in again.stderr:
            break
        time.sleep(0.1)
    assert "in use" not in again.stderr
