"""The stand-ins of this folder as modules, GitHub's own engine, and a GitHub of this machine."""

import dataclasses
import functools
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

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


@dataclasses.dataclass(frozen=True)
class Store:
    """A bucket on an S3 server of this machine, as containers and this machine reach it."""

    url: str
    bucket: Any
    secrets: dict

    def digests(self):
        """The md5 of everything that DVC has put there."""
        keys = (item.key.partition("/files/md5/")[2].replace("/", "") for item in self.bucket.objects.all())
        return {key for key in keys if key}


@pytest.fixture(scope="module")
def gateway(docker):
    """This machine's address as containers see it; a daemon that has just made its bridge does not name it yet."""
    template = "{{range .IPAM.Config}}{{.Gateway}} {{.Subnet}}{{end}}"
    *named, subnet = docker("network", "inspect", "bridge", "--format", template).stdout.split()
    return named[0] if named else str(ipaddress.ip_network(subnet)[1])


@pytest.fixture(scope="module")
def store(gateway):
    """A local S3 server with one bucket, which keeps what it is given until the module's tests have ended."""
    keys = {"MINIO_ACCESS_KEY_ID": f"id-{uuid.uuid4().hex}", "MINIO_SECRET_ACCESS_KEY": f"key-{uuid.uuid4().hex}"}
    server = ThreadedMotoServer(ip_address=gateway, port=0, verbose=False)
    server.start()
    url = f"http://{gateway}:{server.get_host_and_port()[1]}"
    login = {"aws_access_key_id": keys["MINIO_ACCESS_KEY_ID"]}
    login |= {"aws_secret_access_key": keys["MINIO_SECRET_ACCESS_KEY"], "region_name": "us-east-1"}
    bucket = boto3.resource("s3", endpoint_url=url, **login).create_bucket(Bucket=f"pets-{uuid.uuid4().hex}")
    yield Store(url, bucket, keys)
    server.stop()


@dataclasses.dataclass(frozen=True)
class Tracker:
    """An MLflow server of this machine that containers reach, and the file of its database."""

    url: str
    database: Path
    process: subprocess.Popen

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture(scope="module")
def tracker(gateway, tmp_path_factory):
    """A tracking server, which a test may stop."""
    folder = tmp_path_factory.mktemp("tracker")
    with socket.socket() as probe:
        probe.bind((gateway, 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", gateway, "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/files"]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **silent)
    running = Tracker(f"http://{gateway}:{port}", folder / "mlflow.db", process)
    try:
        for _ in range(1800):
            assert process.poll() is None, "the server ended"
            try:
                urllib.request.urlopen(f"{running.url}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield running
    finally:
        running.stop()


S3 = """[core]
    analytics = false
    remote = minio
['remote "minio"']
    url = s3://BUCKET/dvc
"""


@pytest.fixture(scope="module")
def project(committed, snapshot, store):
    """project(folder, **more) is this repository with the digits trained for one epoch and its data kept on S3."""

    def make(folder, replaced=None):
        config = (snapshot / "examples/digits/config.yaml").read_text()
        assert config.count("num_epochs: 30") == 1
        files = {
            "examples/digits/config.yaml": config.replace("num_epochs: 30", "num_epochs: 1"),
            ".dvc/config": S3.replace("BUCKET", store.bucket.name),
        }
        return committed(folder, files | (replaced or {}))

    return make


@pytest.fixture
def pulled(store, tmp_path):
    """pulled(remote, branch) is a new clone into which DVC has pulled everything, and what `dvc status` says there."""
    programs = Path(sys.executable).parent
    own = {"AWS_ACCESS_KEY_ID": store.secrets["MINIO_ACCESS_KEY_ID"], "AWS_ENDPOINT_URL_S3": store.url}
    own |= {
        "AWS_SECRET_ACCESS_KEY": store.secrets["MINIO_SECRET_ACCESS_KEY"],
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    own |= {"DVC_SITE_CACHE_DIR": str(tmp_path / "site"), "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    (tmp_path / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")

    def dvc(folder, *arguments):
        command = ["dvc", *arguments]
        done = subprocess.run(command, cwd=folder, env=os.environ | own, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pull(remote, branch):
        folder = tmp_path / f"clone-{uuid.uuid4().hex}"
        command = ["git", "clone", "--quiet", f"--branch={branch}", remote, folder]
        subprocess.run(command, check=True, env=os.environ | own)
        dvc(folder, "pull", "--quiet", "examples/digits/dvc.yaml")
        return folder, dvc(folder, "status", "examples/digits/dvc.yaml")

    return pull


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
