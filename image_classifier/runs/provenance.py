"""Where a run came from: commit, packages, image, host and command, with secrets removed."""

import os
import platform
import shlex
import socket
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from image_classifier import files, masking
from image_classifier.settings.names import GIT_COMMIT, IMAGE_DIGEST, LOCK_DIGEST

_GIT_SECONDS = 10


def collect() -> dict[str, Any]:
    """What `run.json` says of this process."""
    return {
        **_commit(),
        "package": _package(),
        "lock_sha256": os.environ.get(LOCK_DIGEST) or _lock(),
        "image_digest": os.environ.get(IMAGE_DIGEST),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "command": command(sys.argv),
    }


def now() -> str:
    """The time in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def command(arguments: list[str]) -> str:
    """The command line without the password, and with no more of an address than scheme, host, port and path."""
    shown, hide = [], False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        secret = name == "--db_pass"
        shown.append("***" if hide else f"{name}=***" if secret and equals else argument)
        hide = secret and not equals
    return shlex.join(masking.masked(argument, whole=True) for argument in shown)


def _commit() -> dict[str, Any]:
    given = os.environ.get(GIT_COMMIT)
    if given:  # an image carries no repository, but knows which commit it was built from
        return {"commit": given.removesuffix("-dirty"), "dirty": given.endswith("-dirty")}
    # The team's repository, in which the command was given; else the checkout that this package runs from, if it does.
    for folder in (Path.cwd(), Path(__file__).parents[2]):
        commit = _git(folder, "rev-parse", "HEAD")
        if commit:
            status = _git(folder, "status", "--porcelain", "--untracked-files=no")
            return {"commit": commit, "dirty": None if status is None else bool(status)}
    return {"commit": None, "dirty": None}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=_GIT_SECONDS, check=True
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _package() -> dict[str, Any]:
    try:
        distribution = metadata.distribution("image_classifier")
    except metadata.PackageNotFoundError:  # run from its source
        return {"version": None, "record_sha256": None}
    record = distribution.read_text("RECORD") or ""
    return {"version": distribution.version, "record_sha256": files.digest_bytes(record.encode())}


def _lock() -> str | None:
    """The production lock of the checkout that the package runs from, if it does."""
    lock = Path(__file__).parents[2] / "requirements" / "requirements-prod.txt"
    return files.digest_file(lock) if lock.is_file() else None
