"""Builds that take seconds: a lock of one package, a Dockerfile that only waits, and a folder for temporary files."""

import re
import subprocess
import time
import uuid
from pathlib import Path

import pytest

IMPORTED = re.compile(r"import sys, torch\.utils\.data.*?PIL\.Image\.init\(\);", re.DOTALL)


@pytest.fixture
def scratch(tmp_path):
    """The folder that a build uses for its temporary files; nothing may stay in it."""
    folder = tmp_path / "temporary files"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def wait_until():
    """wait_until(condition) is whether it came true within a minute."""

    def wait(condition):
        for _ in range(1200):
            if condition():
                return True
            time.sleep(0.05)
        return False

    return wait


@pytest.fixture(scope="session")
def small(repository, committed):
    """small(folder) is a clone whose locks hold one package, unlike any before, so that no layer of it is cached."""
    (lines,) = re.findall(
        r"^packaging==.*?(?=^\S)",
        (repository / "requirements/requirements-build.txt").read_text() + "#",
        flags=re.MULTILINE | re.DOTALL,
    )
    dockerfile, replaced = IMPORTED.subn(
        "import sys, packaging.version;", (repository / "docker/Dockerfile").read_text()
    )
    assert replaced == 1

    def make(folder):
        lock = f"# {uuid.uuid4()}\n{lines}\n"
        locks = {f"requirements/requirements-{layer}.txt": lock for layer in ("prod", "pipelines")}
        return committed(folder, locks | {"docker/Dockerfile": dockerfile})

    return make


class Sleeper:
    """A clone whose image takes ten minutes to build, and whether it is being built."""

    def __init__(self, folder, seconds):
        self.folder = folder
        self.command = f"sleep\0{seconds}\0".encode()

    def is_building(self):
        return any(read(path) == self.command for path in Path("/proc").glob("[0-9]*/cmdline"))


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.fixture
def sleeper(committed, tmp_path):
    """A clone whose image is never finished."""
    seconds = f"600.{uuid.uuid4().int % 10**9}"
    dockerfile = f"ARG BASE_IMAGE\nFROM $BASE_IMAGE\nRUN sleep {seconds}\n"
    return Sleeper(committed(tmp_path / "sleeping clone", {"docker/Dockerfile": dockerfile}), seconds)


@pytest.fixture
def tag(docker):
    """A name for an image, which is removed afterwards."""
    name = f"image-classifier-tests:{uuid.uuid4().hex[:12]}"
    yield name
    docker("image", "rm", name, check=False)


@pytest.fixture
def build(building, scratch, tag):
    """build(clone, **variables) runs its build.sh from another folder, for the image `tag`; the finished process."""

    def run(clone, **variables):
        command = ["bash", clone / "docker" / "build.sh"]
        environment = building(**{"TMPDIR": str(scratch), "IMAGE_NAME": tag} | variables)
        return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)

    return run
