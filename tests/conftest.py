"""Marks by folder, and the repository as the tests that read it see it."""

import ast
import os
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Only the tests of tracking pay for it.
os.environ["MLFLOW_TRACKING_URI"] = "off"

# A job in the background, or under nohup, is begun with these ignored, and so would be every program that the tests
# start and then stop.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items):
    """A test under tests/unit is `unit`, one under tests/integration is `integration`."""
    for item in items:
        item.add_marker(item.path.relative_to(ROOT / "tests").parts[0])


def pytest_terminal_summary(terminalreporter):
    """What tests measured, with `record_property`: figures of this machine, which no test asserts."""
    reports = [report for report in terminalreporter.getreports("passed") if report.user_properties]
    if reports:
        terminalreporter.section("measured")
    for report in reports:
        figures = ", ".join(f"{name} {value}" for name, value in report.user_properties)
        terminalreporter.line(f"{report.nodeid}: {figures}")


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
