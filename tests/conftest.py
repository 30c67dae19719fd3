"""Marks by folder, and the repository as the tests that read it see it."""

import ast
import contextlib
import fcntl
import os
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Only the tests of tracking pay for it.
os.environ["MLFLOW_TRACKING_URI"] = "off"

# torch's threads sleep soon when they have nothing to do, as the program has them: another process of the tests waits
# for the core. Read when torch is loaded, which is later.
os.environ["GOMP_SPINCOUNT"] = "20000"

# A job in the background, or under nohup, is begun with these ignored, and so would be every program that the tests
# start and then stop.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items):
    """A test under tests/unit is `unit`, one under tests/integration is `integration`."""
    for item in items:
        item.add_marker(item.path.relative_to(ROOT / "tests").parts[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """What several processes are given, one after the other: tests that share something costly go to one process.

    xdist's own groups (`--dist loadgroup`) do not work here: version 3.8 writes an attribute that pytest 9.2 no longer
    reads.
    """
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class Sharing(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return together(nodeid)

    config.option.loadscopereorder = False  # as they are found: those of the units, the smallest, come last
    return Sharing(config, log)


# Places under tests/integration that share what is made once in a process.
SHARED = {"the image": ("docker", "workflows"), "CIFAR-10": ("data", "test_recipes.py")}


def together(nodeid):
    """What a test shares with tests of other files, else its folder of integration tests, else its file."""
    path = nodeid.partition("::")[0]
    _, kind, place, *rest = path.split("/")
    if kind == "integration":
        return next((what for what, places in SHARED.items() if place in places), place if rest else path)
    return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Where several processes run tests, one that is marked `alone` waits until no other test runs, and others wait."""
    with contextlib.ExitStack() as held:
        if "PYTEST_XDIST_WORKER" in os.environ:
            # Whoever waits for the room stands in the door, so that nobody passes by.
            with locked(Path(__file__), fcntl.LOCK_EX):
                alone = item.get_closest_marker("alone")
                held.enter_context(locked(ROOT / "tests", fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        return (yield)


@contextlib.contextmanager
def locked(path, how):
    """Hold a lock on what is only read."""
    opened = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(opened, how)
        yield
    finally:
        fcntl.flock(opened, fcntl.LOCK_UN)  # a test's fork may hold the file open
        os.close(opened)


def pytest_terminal_summary(terminalreporter):
    """What tests measured, with `record_property`: figures of this machine, which no test asserts."""
    reports = [report for report in terminalreporter.getreports("passed") if report.user_properties]
    if reports:
        terminalreporter.section("measured")
    for report in reports:
        figures = ", ".join(f"{name} {value}" for name, value in report.user_properties)
        terminalreporter.line(f"{report.nodeid}: {figures}")


@pytest.fixture(scope="session")
def one_cpu():
    """A context in which whatever is started has one CPU, a different one in each process of the tests.

    For trainings that take as many threads as there are CPUs: beside another process they take three times as long.
    """

    @contextlib.contextmanager
    def held():
        cpus = sorted(os.sched_getaffinity(0))
        number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        os.sched_setaffinity(0, {cpus[number % len(cpus)]})
        try:
            yield
        finally:
            os.sched_setaffinity(0, cpus)

    return held


@pytest.fixture(scope="session")
def repository():
    """The folder of the repository that the tests belong to."""
    return ROOT


@pytest.fixture(scope="session")
def repository_files():
    """Every file that is or would be committed, relative to the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(Path(name) for name in set(listed) if name and (ROOT / name).exists())


@pytest.fixture(scope="session")
def package_trees():
    """Every module of the package by its dotted name, parsed."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_text())
        for path in sorted((ROOT / "image_classifier").rglob("*.py"))
    }
