"""What every script of a workflow step shares: how it refuses, and where it leaves its outputs."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from package import UserError


def run(main: Callable[[], None]) -> NoReturn:
    """Exit with 0, or with 2 after `error: …` and ` hint: …`; the text cannot be read as a workflow command."""
    try:
        main()
    except UserError as error:
        hint = f"\n hint: {plain(error.hint)}" if error.hint else ""
        sys.stderr.write(f"error: {plain(error.what)}{hint}\n")
        annotate("error", error.what)
        sys.exit(error.exit_code)
    sys.exit(0)


def annotate(kind: str, text: str) -> None:
    """Say it on the run's page of GitHub, where nobody has to search the log for it; elsewhere the log has to do."""
    if os.environ.get("GITHUB_ACTIONS"):
        sys.stdout.write(f"::{kind}::{plain(text).replace('%', '%25')}\n")


def plain(text: str) -> str:
    """The text on one line in ASCII, with escapes for everything else; long ones are cut."""
    shown = ascii(text)[1:-1].replace("\\'", "'")
    return shown if len(shown) <= 400 else f"{shown[:400]}…"


def variable(name: str) -> str:
    """A variable of the environment that the workflow must have set."""
    value = os.environ.get(name)
    if not value:
        raise UserError(f"the environment has no {name}", "run this script as a step of its workflow")
    return value


def temporary(name: str) -> Path:
    """A path of that name in the job's temporary folder."""
    return Path(variable("RUNNER_TEMP")) / name


def set_outputs(values: Mapping[str, str]) -> None:
    """Make the values outputs of this step; one with a line break could forge another output."""
    for name, value in values.items():
        if any(character in value for character in "\r\n\0"):
            raise UserError(f"the output {name} has a line break: {value!r}", "this is a bug of the workflow's script")
    with Path(variable("GITHUB_OUTPUT")).open("a", encoding="utf-8") as stream:
        stream.writelines(f"{name}={value}\n" for name, value in values.items())
