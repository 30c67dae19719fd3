"""Builds of the whole image: what is made again, what two at once do, and which docker is chosen."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def layers(docker, name):
    return json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", name).stdout)


def identity(docker, name):
    return docker("image", "inspect", "--format", "{{.Id}}", name).stdout.strip()


def test_nothing_is_made_again_if_nothing_changed(*, docker, build, committed, image, tag, tmp_path):
    done = build(committed(tmp_path / "a copy"))
    assert done.returncode == 0, done.stderr
    assert identity(docker, tag) == identity(docker, image)


def test_a_change_of_code_makes_one_layer_again(*, docker, build, committed, image, tag, git, tmp_path):
    changed = committed(tmp_path / "a copy")
    with (changed / "image_classifier" / "errors.py").open("a") as opened:
        opened.write("CHANGED = True\n")
    git(changed, "commit", "--quiet", "--all", "--message", "a change of code")
    assert build(changed).returncode == 0
    same = [old == new for old, new in zip(layers(docker, image), layers(docker, tag), strict=True)]
    assert same.count(False) == 1
    docker("run", "--rm", tag, "python", "-c", "from image_classifier.errors import CHANGED")


def test_the_end_of_a_build_says_what_was_made_and_where(docker, build, clone, image, tag):
    said = dict(line.split(maxsplit=1) for line in build(clone).stdout.splitlines())
    assert said["image"] == tag
    assert said["id"] == identity(docker, tag)
    assert said["SBOM"] == str(clone / "docker" / "sbom.cdx.json")
    assert json.loads(Path(said["SBOM"]).read_text())["bomFormat"] == "CycloneDX"
    size = int(docker("image", "inspect", "--format", "{{.Size}}", tag).stdout)
    assert said["size"] == f"{size // 1_000_000} MB"


def test_two_builds_at_once_do_not_mix(*, docker, building, committed, image, git, tmp_path, scratch):
    clones = [committed(tmp_path / name) for name in ("one", "two")]
    git(clones[1], "commit", "--quiet", "--allow-empty", "--message", "another commit")
    names = [f"{image}-{number}" for number in range(2)]
    programs = [
        subprocess.Popen(
            ["bash", clone / "docker" / "build.sh"],
            env=building(TMPDIR=str(scratch), IMAGE_NAME=name),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for clone, name in zip(clones, names, strict=True)
    ]
    try:
        assert [program.wait() for program in programs] == [0, 0]
        for clone, name in zip(clones, names, strict=True):
            variables = docker("image", "inspect", "--format", "{{json .Config.Env}}", name).stdout
            assert f"IMAGE_CLASSIFIER_GIT_COMMIT={git(clone, 'rev-parse', 'HEAD')}" in variables
        assert list(scratch.iterdir()) == []
    finally:
        docker("image", "rm", *names, check=False)


def test_a_docker_without_buildkit_is_passed_over(*, docker, clone, build, image, tag, tmp_path):
    legacy = tmp_path / "bin" / "docker"
    legacy.parent.mkdir()
    legacy.write_text(f'#!/bin/sh\nDOCKER_BUILDKIT=0 exec "{docker.argv[0]}" "$@"\n')
    legacy.chmod(0o755)
    done = build(clone, PATH=f"{legacy.parent}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert docker.has(tag)


def test_a_daemon_that_does_not_run_is_told(docker, clone, build, scratch):
    done = build(clone, DOCKER_HOST=f"unix://{scratch}/docker.sock")
    assert done.returncode == 2
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: docker: Cannot connect to the Docker daemon at ")
    assert hint.startswith(" hint: start it: ")
    assert list(scratch.iterdir()) == []


@pytest.fixture
def public_folder():
    """A folder that every user can read; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_user_without_access_to_docker_is_told(docker, repository, public_folder):
    shutil.copytree(repository / "docker", public_folder / "docker")
    closed = public_folder / "closed"
    closed.mkdir(mode=0o700 if os.geteuid() == 0 else 0o000)
    unprivileged = ["setpriv", "--reuid=4321", "--regid=4321", "--clear-groups"] if os.geteuid() == 0 else []
    environment = os.environ | {"DOCKER_HOST": f"unix://{closed}/docker.sock", "HOME": str(closed)}
    command = [*unprivileged, "bash", public_folder / "docker" / "build.sh"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    error, hint = done.stderr.splitlines()
    assert "permission denied" in error
    assert hint.startswith(" hint: use sudo, or: ")
