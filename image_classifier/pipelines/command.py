"""A command line of ours, run as a process: what it says on stderr is shown, and its end is kept for the error log."""

import collections
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from image_classifier.errors import UserError
from image_classifier.masking import HIDDEN, masked

_MOST_LINES = 40
_LONGEST = 2000  # characters of an error in a log
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASS|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 4  # what is shorter would hide half of a text


def program(name: str) -> str:
    """The path of a program of ours: on the PATH, else beside the interpreter."""
    return shutil.which(name) or str(Path(sys.executable).with_name(name))


class FailedError(UserError):
    """A command of ours that did not end well, with what it said last; the step ends with its exit code."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(what)
        self.exit_code = code


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> None:
    """Run a command to its end; one that fails is an error with what it said."""
    sys.stderr.write(f"$ {masked(' '.join(command))}\n")
    sys.stderr.flush()
    kept: collections.deque[str] = collections.deque(maxlen=_MOST_LINES)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        env=os.environ | (environment or {}),
    ) as child:  # fmt: skip
        try:
            for line in child.stderr or ():
                sys.stderr.write(line)
                sys.stderr.flush()
                kept.append(line)
        except BaseException:
            child.terminate()  # a step that is stopped stops its command
            raise
    code = child.returncode
    if code < 0:  # the kernel sends SIGKILL where memory has run out
        kept.append(f"\nended by {signal.Signals(-code).name}\n")
    if code:
        raise FailedError(said(kept), code if code > 0 else 128 - code)


def said(lines: Sequence[str]) -> str:
    """What a command said last: its error and hint, else its last lines."""
    lines = list(lines)
    begin = next((number for number in reversed(range(len(lines))) if lines[number].startswith("error: ")), 0)
    return without_secrets("".join(lines[begin:]).strip().removeprefix("error: ")) or "it said nothing"


def without_secrets(text: str) -> str:
    """The text without addresses' secrets and without what the environment's variables for secrets hold."""
    text = masked(text)
    hidden = {value for name, value in os.environ.items() if _SECRET.search(name) and len(value) >= _SHORTEST_SECRET}
    for value in sorted(hidden, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text[-_LONGEST:]
