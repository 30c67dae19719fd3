"""What docker/build.sh says where no docker can build the image, and that what it says is enough; it needs none."""

import shutil
import subprocess

import pytest

SYSTEMS = {
    "bookworm": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n',
    "trixie": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nID=debian\n',
    "sid": 'PRETTY_NAME="Debian GNU/Linux forky/sid"\nID=debian\n',
    "raspbian": 'VERSION_ID="12"\nID=raspbian\nID_LIKE=debian\n',
    "noble": 'PRETTY_NAME="Ubuntu 24.04 LTS"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n',
    "mint": 'VERSION_ID="12"\nID=linuxmint\nID_LIKE="ubuntu debian"\n',
    "arch": "ID=arch\n",
}
BUILDX = "sudo apt install docker-buildx (of Docker's own packages: docker-buildx-plugin)"
BOTH = "sudo apt install docker.io docker-buildx"
HINTS = {  # where there is a docker without BuildKit, and where there is none
    "bookworm": ("sudo apt install docker.io", "sudo apt install docker.io"),
    "trixie": (BUILDX, BOTH),
    "sid": (BUILDX, BOTH),
    "raspbian": ("sudo apt install docker.io", "sudo apt install docker.io"),
    "noble": (BUILDX, BOTH),
    "mint": (BUILDX, BOTH),
    "arch": (
        "install its buildx plugin: https://docs.docker.com/go/buildx/",
        "install Docker with its buildx plugin: https://docs.docker.com/engine/install/",
    ),
}
# A command line of docker: it knows --secret if `buildx` lies beside it, and reaches no daemon.
DOCKER = """#!/bin/bash
if [[ $1 != build ]]; then echo "there is no daemon of ${0##*/}" >&2; exit 1; fi
[[ -e ${0%/*}/buildx ]] && echo "  --secret stringArray   Secret to expose to the build"
exit 0
"""


def program(path):
    path.parent.mkdir(exist_ok=True)
    path.write_text(DOCKER)
    path.chmod(0o755)


@pytest.fixture
def machine(repository, tmp_path):
    """machine(system) builds there; machine.bin is its PATH, machine.usual where the system would put a docker."""

    def build(system):
        (tmp_path / "os-release").write_text(SYSTEMS[system])
        environment = {
            "PATH": str(build.bin), "OS_RELEASE": str(tmp_path / "os-release"), "USUAL_DOCKER": str(build.usual),
        }  # fmt: skip
        command = [shutil.which("bash"), "-c", 'source "$0"', repository / "docker" / "build.sh"]
        done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr

    build.bin, build.usual = tmp_path / "bin", tmp_path / "usual" / "docker"
    build.bin.mkdir()
    for name in ("bash", "dirname", "rm"):
        (build.bin / name).symlink_to(shutil.which(name))
    return build


@pytest.mark.parametrize("system", SYSTEMS)
def test_without_a_docker_the_packages_of_the_system_are_named(machine, system):
    assert machine(system) == f"error: there is no docker\n hint: {HINTS[system][1]}\n"


@pytest.mark.parametrize("system", SYSTEMS)
def test_without_buildkit_the_package_of_the_system_is_named(machine, system):
    program(machine.bin / "docker")
    assert machine(system) == f"error: no docker here can use BuildKit\n hint: {HINTS[system][0]}\n"


@pytest.mark.parametrize("system", SYSTEMS)
def test_after_that_command_a_docker_is_found(machine, system):
    program(machine.bin / "docker")
    if "docker.io" in HINTS[system][0]:  # a second docker, which has BuildKit in itself
        program(machine.usual)
        (machine.usual.parent / "buildx").touch()
    else:
        (machine.bin / "buildx").touch()
    assert machine(system).startswith("error: docker: there is no daemon of docker\n")


def test_a_system_that_does_not_say_what_it_is_is_told_where_to_read(machine, monkeypatch, tmp_path):
    monkeypatch.setitem(SYSTEMS, "none", "")
    assert machine("none").endswith(
        " hint: install Docker with its buildx plugin: https://docs.docker.com/engine/install/\n"
    )
