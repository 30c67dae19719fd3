"""What every script of a workflow step shares: how it refuses, and where it leaves its outputs."""

import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class RefusedError(Exception):
    """Something outside the code must change: what was found, and what to do about it."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def run(main: Callable[[], None]) -> NoReturn:
    """Exit with 0, or with 2 after `error: …` and ` hint: …`; the text cannot be read as a workflow command."""
    try:
        main()
    except RefusedError as refused:
        hint = f"\n hint: {plain(refused.hint)}" if refused.hint else ""
        sys.stderr.write(f"error: {plain(refused.what)}{hint}\n")
        # On the run's page, where nobody has to search the log for it.
        print(f"::error::{plain(refused.what).replace('%', '%25')}")  # noqa: T201
        sys.exit(2)
    sys.exit(0)


def plain(text: str) -> str:
    """The text on one line in ASCII, with escapes for everything else; long ones are cut."""
    shown = ascii(text)[1:-1].replace("\\'", "'")
    return shown if len(shown) <= 400 else f"{shown[:400]}…"


def variable(name: str) -> str:
    """A variable of the environment that the workflow must have set."""
    value = os.environ.get(name)
    if not value:
        raise RefusedError(f"the environment has no {name}", "run this script as a step of its workflow")
    return value


def temporary(name: str) -> Path:
    """A path of that name in the job's temporary folder."""
    return Path(variable("RUNNER_TEMP")) / name


def set_outputs(values: Mapping[str, str]) -> None:
    """Make the values outputs of this step; one with a line break could forge another output."""
    for name, value in values.items():
        if any(character in value for character in "\r\n\0"):
            raise RefusedError(
                f"the output {name} has a line break: {value!r}", "this is a bug of the workflow's script"
            )
    with Path(variable("GITHUB_OUTPUT")).open("a", encoding="utf-8") as stream:
        stream.writelines(f"{name}={value}\n" for name, value in values.items())
