"""The front door: `make` in a clone whose path has a space, with the running environment's packages borrowed."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ACCURACY = 0.98


def environment(**more):
    """This process's variables without those that would steer another interpreter or another make."""
    unwanted = {"PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in unwanted} | more


def run(*command, folder, **more):
    return subprocess.run(command, cwd=folder, env=environment(**more), capture_output=True, text=True)


def make(clone, *targets, **more):
    """`make` called from another folder, as a user may."""
    return run("make", "--no-print-directory", "-C", clone, *targets, folder="/", **more)


def borrow(folder):
    """An environment that sees the running one's packages, so that nothing of 5.5 GB is installed again."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    (Path(site) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


@pytest.fixture(scope="module")
def clone(repository, repository_files, tmp_path_factory):
    """What a clone of the next commit would hold, with an environment that was made and has nothing installed yet."""
    folder = tmp_path_factory.mktemp("a clone") / "image classifier"
    for path in repository_files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository / path, folder / path)
    borrow(folder / ".venv")
    (folder / ".venv" / ".created").touch()
    return folder


@pytest.fixture(scope="module")
def demo(clone, one_cpu):
    """The first `make demo` in the clone."""
    with one_cpu():
        return make(clone, "demo")


def test_help_lists_every_target_and_is_what_make_alone_says(clone):
    said = make(clone).stdout
    targets = set(re.findall(r"^  make ([\w-]+) ", said, flags=re.MULTILINE))
    assert targets == {"help", "demo", "ui", "test", "test-unit", "lint", "hooks", "format", "lock", "wheel", "clean"}
    assert said.endswith(make(clone, "help").stdout)


def test_demo_trains_from_a_fresh_clone_and_shows_its_metrics_and_place(demo, clone):
    assert demo.returncode == 0, demo.stdout + demo.stderr
    run_folder = clone / "experiments" / "demo" / "digits"
    assert (run_folder / "model.pth").is_file()
    assert (run_folder / "metrics.png").is_file()
    assert "experiments/demo/digits" in demo.stdout
    assert "model cnn, chosen by the data: images of 8 × 8 pixels" in demo.stderr
    accuracy = re.search(r"^accuracy +(0\.\d+|1\.0+) ", demo.stdout, flags=re.MULTILINE)
    assert float(accuracy[1]) >= 0.98


def test_a_second_demo_installs_nothing_and_shows_the_results_again(demo, clone):
    before = (clone / "experiments" / "demo" / "digits" / "model.pth").stat().st_mtime_ns
    again = make(clone, "demo")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "installing" in demo.stdout
    assert "installing" not in again.stdout
    assert (clone / "experiments" / "demo" / "digits" / "model.pth").stat().st_mtime_ns == before
    assert "experiments/demo/digits" in again.stdout


def test_a_changed_lock_is_installed_again_and_an_unchanged_one_is_not(demo, clone):
    assert "install.sh" not in make(clone, "-n", "demo").stdout
    lock = clone / "requirements" / "requirements-prod.txt"
    os.utime(lock)
    assert "install.sh build prod package" in make(clone, "-n", "demo").stdout
    os.utime(lock, ns=(0, 0))
    assert "install.sh" not in make(clone, "-n", "demo").stdout


def test_test_ends_with_pytest_after_the_linters(demo, clone):
    planned = make(clone, "-n", "test").stdout.splitlines()
    assert planned[-1].endswith("-m pytest --numprocesses 2 --durations 10")
    first = [next(index for index, line in enumerate(planned) if tool in line) for tool in ("pre-commit run", "mypy")]
    assert first == sorted(first)
    assert any("requirements-dev.sh" in line for line in planned[: first[0]])


def test_an_environment_whose_interpreter_is_gone_is_made_again(clone, tmp_path):
    broken = tmp_path / "environment"
    (broken / "bin").mkdir(parents=True)
    (broken / "bin" / "python").symlink_to(tmp_path / "gone")
    said = preflight(clone, "--environment", broken, "--done", broken / "done")
    assert said.returncode == 0
    assert said.stdout == f"making {broken} again: its interpreter is gone or broken\n"
    assert not broken.exists()


def test_a_usable_environment_is_left_alone(clone):
    said = preflight(clone, "--environment", clone / ".venv", "--done", clone / ".venv", "--chosen")
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    assert (clone / ".venv" / "bin" / "python").exists()


def preflight(clone, *arguments):
    return run(sys.executable, clone / "requirements" / "preflight.py", *arguments, folder=clone)


@pytest.mark.parametrize(
    ("need", "what", "hint"),
    [
        (("--gigabytes", "100000000"), "needs 100000000 GB of free disk", "free some"),
        (("--python", "99.1"), "99.1 or newer is needed", "PYTHON=python99.1 make"),
        (("--machine", "Darwin arm64"), "locked for Darwin arm64", "Docker"),
    ],
)
def test_a_machine_that_lacks_something_is_told_what_before_anything_is_made(need, what, hint, clone, tmp_path):
    said = preflight(clone, "--environment", tmp_path / "none", "--done", tmp_path / "none" / "done", *need)
    assert said.returncode == 2
    error, tip = said.stderr.splitlines()
    assert error.startswith("error: ")
    assert tip.startswith(" hint: ")
    assert what in error
    assert hint in tip
    assert list(tmp_path.iterdir()) == []


def test_disk_is_not_asked_for_when_everything_is_installed(clone, tmp_path):
    (tmp_path / "done").touch()
    said = preflight(clone, "--environment", tmp_path / "none", "--done", tmp_path / "done", "--gigabytes", "100000000")
    assert said.returncode == 0, said.stderr


def test_an_interpreter_that_does_not_exist_is_named(clone):
    said = make(clone, "demo", PYTHON="python99")
    assert said.returncode == 2
    assert "error: there is no python99" in said.stderr
    assert " hint: " in said.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_sourced_installer_works_from_anywhere_and_leaves_the_shell_as_it_was(shell, clone, tmp_path):
    python = borrow(tmp_path / "environment") / "bin" / "python"
    state = "{ pwd; set +o; alias; typeset -f; trap; } > "
    script = (
        f"cd /; {state}'{tmp_path}/before'; "
        f". '{clone}/requirements/requirements-build.sh'; status_=$?; "
        f"{state}'{tmp_path}/after'; exit $status_"
    )
    said = run(shell, "-c", script, folder="/", PYTHON=str(python))
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.startswith("installing build into ")
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()


def test_an_installer_reports_failure_without_ending_the_shell_that_sources_it(clone, tmp_path):
    script = f". '{clone}/requirements/requirements-prod.sh'; echo \"went on after $?\""
    said = run("bash", "-c", script, folder="/", PYTHON=str(tmp_path / "python"))
    assert "error: there is no " in said.stderr
    assert said.stdout == "went on after 2\n"


def test_installing_outside_a_virtual_environment_is_refused(clone):
    system = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    said = run(clone / "requirements" / "requirements-prod.sh", folder="/", PYTHON=str(system))
    assert said.returncode == 2
    assert "is not in a virtual environment" in said.stderr
    assert "IMAGE_CLASSIFIER_ALLOW_SYSTEM=1" in said.stderr
