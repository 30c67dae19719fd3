"""The stand-ins of this folder as modules, GitHub's own engine, and a GitHub of this machine."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pytest

# Tests are imported by path, so the modules beside them need a place on the path of their own.
sys.path.insert(0, str(Path(__file__).parent))

from github_api import GitHub, serving
from rehearsal.engine import Engine, install
from rehearsal.github import Github
from rehearsal.runner import PATH, own, unprivileged


@pytest.fixture(scope="session")
def engine():
    """GitHub's own parser, expression engine and language service, with the Node of the development lock."""
    running = Engine(install(Path(sys.executable).parent))
    yield running
    running.close()


@pytest.fixture(scope="module")
def hosted(engine, git):
    """hosted(repository, api, **of Github) is a GitHub of its own with the repository's commit on its main branch.

    Its `push` makes another branch.
    """
    made = []

    def host(source, api, **known):
        # pytest's own folders are closed to the user who runs the steps.
        folder = Path(tempfile.mkdtemp(prefix="rehearsal-"))
        made.append(folder)
        folder.chmod(0o755)
        github = Github(engine, folder, api, **known)
        git(source, "push", "--quiet", github.remote, "HEAD:refs/heads/main")
        own(folder)
        github.push = functools.partial(push, github)
        return github

    yield host
    for folder in made:
        shutil.rmtree(folder)


EMPTY_FORM = "on: {workflow_dispatch: {}}"

RECORDING = """#!/bin/sh
{ printf '%s\\0' "DB_PASS=${DB_PASS-}" "$@"; printf '\\n'; } >> {log}
exec {docker} "$@"
"""


def forget(docker, name, commits):
    """Remove the image of that name, if one was built, and those of the commits that have lost it to a newer one."""
    docker("image", "rm", name, check=False)
    for commit in commits:
        made = f"label=org.opencontainers.image.revision={commit}"
        for number in docker("images", "--quiet", "--filter", "dangling=true", "--filter", made).stdout.split():
            docker("image", "rm", "--force", number, check=False)


def push(github, branch, change, base="main"):
    """Push to a new branch what `change` makes of the files of another; large ones go through Git LFS."""
    folder = github.folder / branch
    folder.mkdir()
    who = {f"GIT_{role}_{key}": "x@y" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    environment = {"PATH": PATH, "HOME": str(folder), "GIT_CONFIG_SYSTEM": str(github.folder / "gitconfig")} | who

    def git(*arguments):
        own(folder)
        subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, **unprivileged())

    git("clone", "--quiet", "--branch", base, f"https://github.com/{github.repository}", ".")
    git("lfs", "install", "--local")
    change(folder)
    git("add", "--all")
    git("commit", "--quiet", "--message", branch)
    git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")


@pytest.fixture(scope="module")
def rehearsed(hosted, clone, docker, base_image, tmp_path_factory):
    """This repository on a GitHub of its own: `called()` are the docker commands of its steps."""
    with serving(token=f"ghs_{uuid.uuid4().hex}") as api:
        github = hosted(clone, api, secrets={"DB_PASS": f"pass-{uuid.uuid4().hex}"})
        wrapper, log = github.folder / "bin" / "docker", github.folder / "docker.log"
        wrapper.parent.mkdir()
        wrapper.write_text(RECORDING.replace("{log}", str(log)).replace("{docker}", docker.argv[0]))
        wrapper.chmod(0o755)
        log.touch()
        log.chmod(0o666)
        # BASE_IMAGE and the certificates: this machine reaches no registry, and perhaps an index through a proxy.
        kept = {name: os.environ[name] for name in ("PIP_CERT", "SSL_CERT_FILE") if name in os.environ}
        name = f"image-classifier-rehearsal:{uuid.uuid4().hex[:12]}"
        closed = {"REGISTRY": "127.0.0.1:1", "IMAGE_NAME": name}  # nothing was ever published there
        github.machine = {"PATH": f"{wrapper.parent}:{PATH}", "BASE_IMAGE": base_image} | kept | closed
        github.called = lambda: [line.split("\0")[:-1] for line in log.read_text().splitlines()]
        yield github
        forget(docker, name, github.git("for-each-ref", "--format=%(objectname)").split())


@pytest.fixture(scope="session")
def builder(repository):
    """The variable by which docker/build.sh finds what builds the wheel, so that not every run has to install it."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        Path(folder).chmod(0o755)
        python = Path(folder, "venv/bin/python")
        subprocess.run([shutil.which("python3", path=PATH), "-m", "venv", python.parents[1]], check=True)
        lock = repository / "requirements" / "requirements-build.txt"
        command = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--requirement", lock]
        subprocess.run(command, check=True)
        yield {"PYTHON": str(python)}


@pytest.fixture
def toy(hosted, git, tmp_path):
    """A GitHub with one toy workflow, whose jobs are given as text."""

    def make(jobs, top=EMPTY_FORM, files=(), **known):
        source = tmp_path / "source"
        (source / ".github/workflows").mkdir(parents=True)
        (source / ".github/workflows/toy.yaml").write_text(f"{top}\njobs:\n{jobs}")
        for name in files:
            (source / name).write_text(f"the file {name}\n")
        git(source, "init", "--quiet")
        git(source, "add", "--all")
        git(source, "commit", "--quiet", "--message", "all")
        return hosted(source, GitHub("owner/pets"), **known)

    return make


@pytest.fixture
def perform(toy):
    """The finished toy job, whose steps are given as text."""

    def run(steps, top=EMPTY_FORM, job="", inputs=None, **known):
        jobs = f"  only:\n    runs-on: ubuntu-latest\n{job}    steps:\n{steps}"
        return toy(jobs, top, **known).dispatch("toy.yaml", inputs or {}).jobs["only"]

    return run
