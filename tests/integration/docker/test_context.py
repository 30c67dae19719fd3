"""What docker sees of the repository, and that the commit alone determines the wheel."""

import functools
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

LOCKS = {"requirements-prod.txt", "requirements-pipelines.txt", "requirements-image.txt"}
WHEEL = "image_classifier-0.1.0-py3-none-any.whl"


def context(scratch, clone, *arguments, umask=-1, **variables):
    """The finished process of create_build_context.sh, whose temporary files lie in `scratch`."""
    environment = os.environ | {"PYTHON": sys.executable, "TMPDIR": str(scratch)} | variables
    command = ["bash", clone / "docker" / "create_build_context.sh", *arguments]
    return subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, umask=umask)


@pytest.fixture
def create(scratch):
    """create(clone, **variables) runs create_build_context.sh; the finished process."""
    return functools.partial(context, scratch)


@pytest.fixture(scope="module")
def usual(clone, tmp_path_factory):
    """The context of `clone`, made once. Do not change it."""
    return made(context(tmp_path_factory.mktemp("temporary"), clone))


def made(done):
    """The folder that a process of create_build_context.sh printed."""
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.removesuffix("\n"))


def arguments(folder):
    return dict(line.split("=", 1) for line in (folder / "build-args").read_text().splitlines())


def wheel(folder):
    return hashlib.sha256((folder / "context" / WHEEL).read_bytes()).hexdigest()


@pytest.fixture
def changeable(committed, tmp_path):
    """A clone that a test may change."""
    return committed(tmp_path / "a copy")


def litter(clone):
    """What lies in a work tree that somebody works in."""
    for path in ("data/cifar.bin", ".env", "build/lib/image_classifier/stale.py", "experiments/a/b/model.pth"):
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text("word = 'hidden'")
    (clone / "image_classifier" / "__pycache__").mkdir()
    (clone / "image_classifier" / "__pycache__" / "main.cpython-311.pyc").write_text("stale")


def test_docker_sees_the_wheel_and_three_locks_and_nothing_else(build, committed, docker, tag, tmp_path):
    dockerfile = (
        "ARG BASE_IMAGE\nFROM $BASE_IMAGE\nCOPY . /seen\n"
        "RUN mkdir /opt/image_classifier && find /seen -type f -printf '%P\\n' > /opt/image_classifier/sbom.cdx.json\n"
        'CMD ["cat", "/opt/image_classifier/sbom.cdx.json"]\n'
    )
    clone = committed(tmp_path / "a copy", {"docker/Dockerfile": dockerfile})
    litter(clone)
    done = build(clone)
    assert done.returncode == 0, done.stderr
    seen = docker("run", "--rm", tag).stdout.split()
    assert sorted(seen) == sorted([WHEEL, *LOCKS])
    assert (clone / "docker" / "sbom.cdx.json").read_text().split() == seen


def test_the_commit_determines_the_bytes_of_the_wheel(usual, create, clone, changeable, git):
    litter(changeable)
    for name, value in (("tar.umask", "0077"), ("core.autocrlf", "true"), ("core.eol", "crlf")):
        git(changeable, "config", name, value)
    os.utime(changeable / "image_classifier" / "main.py", (0, 0))
    elsewhere = {"LC_ALL": "C.UTF-8", "PYTHONPATH": str(changeable / "build" / "lib"), "HOME": str(changeable)}
    second = made(create(changeable, umask=0o077, **elsewhere))
    assert wheel(usual) == wheel(second)
    assert arguments(usual) == arguments(second)
    assert arguments(usual)["GIT_COMMIT"] == git(clone, "rev-parse", "HEAD") == git(changeable, "rev-parse", "HEAD")
    assert arguments(usual)["CREATED"] == "2026-01-02T03:04:05Z"


def test_another_interpreter_builds_the_same_wheel_in_an_environment_of_its_own(usual, create, clone, tmp_path):
    empty = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", empty], check=True)
    other = made(create(clone, PYTHON=str(empty / "bin" / "python")))
    assert wheel(usual) == wheel(other)
    assert sorted(path.name for path in other.iterdir()) == [".image-classifier-build", "build-args", "context"]


def test_the_lock_digest_is_that_of_the_production_lock(usual, clone):
    lock = (clone / "requirements" / "requirements-prod.txt").read_bytes()
    assert arguments(usual)["LOCK_DIGEST"] == hashlib.sha256(lock).hexdigest()
    assert (usual / "context" / "requirements-prod.txt").read_bytes() == lock


def test_changed_files_are_built_and_the_commit_is_called_dirty(usual, create, changeable, git):
    with (changeable / "image_classifier" / "errors.py").open("a") as opened:
        opened.write("CHANGED = True\n")
    state = git(changeable, "status", "--porcelain"), git(changeable, "stash", "list")
    folder = made(create(changeable))
    assert arguments(folder)["GIT_COMMIT"] == git(changeable, "rev-parse", "HEAD") + "-dirty"
    assert wheel(folder) != wheel(usual)
    with zipfile.ZipFile(folder / "context" / WHEEL) as archive:
        assert b"CHANGED = True" in archive.read("image_classifier/errors.py")
    assert (git(changeable, "status", "--porcelain"), git(changeable, "stash", "list")) == state
    assert wheel(made(create(changeable))) == wheel(folder)


def test_files_that_git_does_not_know_are_named_and_left_out(create, changeable, git):
    (changeable / "image_classifier" / "new module.py").write_text("")
    done = create(changeable)
    assert done.stderr == "warning: not in git, so not in the image: \nimage_classifier/new module.py\n"
    assert arguments(made(done))["GIT_COMMIT"] == git(changeable, "rev-parse", "HEAD")
    with zipfile.ZipFile(made(done) / "context" / WHEEL) as archive:
        assert "image_classifier/new module.py" not in archive.namelist()


def test_a_downloaded_archive_without_git_is_built_as_it_is(create, changeable):
    (changeable / ".git").rename(changeable / "no longer git")
    litter(changeable)
    folder = made(create(changeable))
    assert arguments(folder)["GIT_COMMIT"] == ""
    with zipfile.ZipFile(folder / "context" / WHEEL) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {
            "image_classifier",
            "image_classifier-0.1.0.dist-info",
        }
        assert not [name for name in archive.namelist() if "stale" in name or "__pycache__" in name]
    (changeable / "image_classifier" / "main.py").chmod(0o600)
    assert wheel(made(create(changeable))) == wheel(folder)


def test_a_hook_of_another_repository_does_not_lead_it_astray(create, clone, changeable, git):
    with (changeable / "README.md").open("a") as opened:
        opened.write("another commit\n")
    git(changeable, "commit", "--quiet", "--all", "--message", "another")
    other = {"GIT_DIR": str(changeable / ".git"), "GIT_WORK_TREE": str(changeable)}
    assert arguments(made(create(clone, **other)))["GIT_COMMIT"] == git(clone, "rev-parse", "HEAD")


def test_a_repository_that_git_cannot_read_is_not_taken_for_an_archive(create, changeable, scratch):
    (changeable / ".git" / "HEAD").write_text("damaged\n")
    done = create(changeable)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: git cannot read the commit of {changeable}: ")
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("git@example.org:team/pets.git", "https://example.org/team/pets"),
        ("https://robot:" + "secret@example.org/team/pets.git", "https://example.org/team/pets"),
        ("ssh://git@example.org:2222/team/pets", "https://example.org:2222/team/pets"),
        ("/home/me/pets.git", ""),
        ("", ""),
    ],
)
def test_the_source_is_named_without_anybodys_password(origin, said, create, changeable, git):
    if origin:
        git(changeable, "remote", "add", "origin", origin)
    assert arguments(made(create(changeable)))["SOURCE_URL"] == said


def test_a_package_that_cannot_be_built_is_told_with_its_reason(create, changeable, scratch):
    (changeable / "pyproject.toml").write_text("[project\n")
    done = create(changeable)
    assert done.returncode == 2
    assert "pyproject.toml" in done.stderr
    assert done.stderr.splitlines()[-2:] == ["error: the wheel was not built (above)", " hint: does make wheel work?"]
    assert list(scratch.iterdir()) == []


def clean(clone, *arguments):
    command = ["bash", clone / "docker" / "cleanup_build_context.sh", *arguments]
    return subprocess.run(command, cwd="/", capture_output=True, text=True)


def test_clean_up_removes_a_context_and_is_content_if_it_is_gone(create, clone, scratch):
    folder = made(create(clone))
    assert [clean(clone, folder).returncode, clean(clone, folder).returncode] == [0, 0]
    assert list(scratch.iterdir()) == []


def test_clean_up_refuses_to_remove_anything_else(clone, tmp_path):
    (tmp_path / "precious").write_text("")
    for arguments_ in ((), (tmp_path,)):
        done = clean(clone, *arguments_)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
    assert (tmp_path / "precious").exists()
