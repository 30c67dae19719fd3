"""docker/build.sh as a guest: run or sourced, in bash or zsh, it changes nothing but what it builds."""

import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

# Everything of a shell that a careless script changes, without what changes by itself.
STATES = {
    "bash": r"pwd; umask; set +o; shopt; trap; alias; declare -f; declare -p | grep -vE "
    r"'^declare [-a-zA-Z]+ (_|BASH[A-Z_]*|EPOCH[A-Z]*|FUNCNAME|LINENO|PIPESTATUS|RANDOM|SECONDS|SRANDOM)(=|$)'",
    "zsh": r"pwd; umask; setopt; trap; alias; functions; typeset -p | grep -vE "
    r"'^[a-z]+( -[-a-zA-Z0-9]+)* ([^a-zA-Z]|EPOCH[A-Z]*|LINENO|RANDOM|SECONDS|TTYIDLE|pipestatus|ZSH_[A-Z]*)(=|$)'",
}
CALLER = """
{settings}
trap 'echo the caller was stopped' TERM
trap 'echo the caller ends' EXIT
folder=mine; docker=mine; here=mine; child=mine; outcome=
fail() {{ echo mine; }}
cd "$CLONE/docs"
{{ {state}; }} >| "$SCRATCH/before"
source ../docker/build.sh || outcome=$?
echo "went on after [$outcome]"
outcome=
{{ {state}; }} >| "$SCRATCH/after"
: zsh would become the last command and forget its trap
"""
SETTINGS = {
    "bash": "set -euo pipefail -o noclobber; shopt -s nullglob; export CDPATH=/usr",
    "zsh": "setopt errexit nounset pipefail noclobber ksh_arrays sh_word_split; export CDPATH=/usr",
}
MISSING = "/no/python"


def source(shell, clone, folder, environment):
    """What a script in that shell says which sources build.sh, and its state before and after."""
    script = CALLER.format(settings=SETTINGS[shell], state=STATES[shell])
    command = ["zsh", "-f", "-c", script] if shell == "zsh" else ["bash", "-c", script]
    more = {"CLONE": str(clone), "SCRATCH": str(folder)}
    done = subprocess.run(command, env=environment | more, cwd="/", capture_output=True, text=True)
    return done, (folder / "before").read_text(), (folder / "after").read_text()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_that_sources_a_build_is_as_before(*, shell, docker, image, clone, building, tmp_path, scratch, tag):
    done, before, after = source(shell, clone, tmp_path, building(TMPDIR=str(scratch), IMAGE_NAME=tag))
    assert done.stdout.endswith("went on after []\nthe caller ends\n"), done.stdout + done.stderr
    assert done.stdout.count("the caller") == 1
    assert before == after
    assert "IMAGE_NAME" in after
    assert list(scratch.iterdir()) == []
    assert docker("ps", "--all", "--quiet", "--filter", f"ancestor={tag}").stdout == ""


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_that_sources_a_failing_build_goes_on_and_knows(shell, clone, building, tmp_path, scratch):
    done, before, after = source(shell, clone, tmp_path, building(TMPDIR=str(scratch), PYTHON=MISSING))
    assert done.stdout == "went on after [2]\nthe caller ends\n"
    assert done.stderr.startswith(f"error: there is no {MISSING}\n hint: ")
    assert before == after
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("command", [["bash"], ["zsh"], ["bash", "-c", '. "$0"'], ["zsh", "-c", '. "$0"'], []], ids=str)
@pytest.mark.parametrize("folder", ["/", "docker", "."])
def test_it_runs_in_either_shell_from_anywhere(command, folder, clone, building):
    script = (
        os.path.relpath(clone / "docker" / "build.sh", clone / folder) if folder != "/" else clone / "docker/build.sh"
    )
    program = [*command, script if "/" in str(script) else f"./{script}"]
    done = subprocess.run(program, cwd=clone / folder, env=building(PYTHON=MISSING), capture_output=True, text=True)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"error: there is no {MISSING}")


def test_a_failed_docker_build_is_told_and_leaves_nothing(clone, build, scratch):
    done = build(clone, BASE_IMAGE="localhost:1/missing/base:none")
    assert done.returncode == 2
    error, hint = done.stderr.splitlines()[-2:]
    assert error == "error: docker build failed; what it said is above"
    assert "localhost:1/missing/base:none" in hint
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_stopped_build_ends_everything_it_began(*, sent, code, sleeper, building, scratch, wait_until):
    command = ["bash", sleeper.folder / "docker" / "build.sh"]
    program = subprocess.Popen(command, env=building(TMPDIR=str(scratch)), stderr=subprocess.DEVNULL)
    assert wait_until(sleeper.is_building)
    program.send_signal(sent)
    assert program.wait(60) == code
    assert list(scratch.iterdir()) == []
    assert wait_until(lambda: not sleeper.is_building())


def test_a_build_stopped_before_docker_leaves_nothing(clone, building, scratch, tmp_path, wait_until):
    slow = tmp_path / "python"
    slow.write_text('#!/bin/sh\necho $$ >"$MARK.tmp"\nmv "$MARK.tmp" "$MARK"\nsleep 600\n')
    slow.chmod(0o755)
    environment = building(TMPDIR=str(scratch), PYTHON=str(slow), MARK=str(tmp_path / "began"))
    program = subprocess.Popen(["bash", clone / "docker" / "build.sh"], env=environment, stderr=subprocess.DEVNULL)
    assert wait_until((tmp_path / "began").exists)
    program.terminate()
    assert program.wait(60) == 143
    assert list(scratch.iterdir()) == []
    ended = Path(f"/proc/{(tmp_path / 'began').read_text().strip()}")
    assert wait_until(lambda: not ended.exists())


class Terminal:
    """An interactive shell at a terminal of its own."""

    def __init__(self, *command, **variables):
        self.said = b""
        self.process, self.descriptor = pty.fork()
        if not self.process:
            os.environ.update(variables)
            os.execvp(command[0], command)  # noqa: S606

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def has_said(self, text):
        if select.select([self.descriptor], [], [], 0)[0]:
            self.said += os.read(self.descriptor, 65536)
        return text.encode() in self.said

    def close(self):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.descriptor)


@pytest.fixture
def terminal(building, scratch):
    opened = []

    def open_one(*command):
        opened.append(Terminal(*command, **building(TMPDIR=str(scratch), PS1="> ")))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


@pytest.mark.parametrize("shell", [("bash", "--norc", "-i"), ("zsh", "-f", "-i")], ids=lambda shell: shell[0])
def test_ctrl_c_at_a_terminal_stops_the_build_and_gives_the_prompt_back(shell, terminal, sleeper, scratch, wait_until):
    screen = terminal(*shell)
    screen.type(f"kept=yes; cd '{sleeper.folder}'\n. docker/build.sh\n")
    assert wait_until(lambda: screen.has_said("no such text") or sleeper.is_building()), screen.said
    screen.type("\x03")
    time.sleep(0.1)
    screen.type('echo "status $? and kept $kept in ${PWD##*/}"\n')
    assert wait_until(lambda: screen.has_said("status 130 and kept yes in sleeping clone")), screen.said
    assert list(scratch.iterdir()) == []
    assert wait_until(lambda: not sleeper.is_building())
