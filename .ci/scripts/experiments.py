"""Run the example pipelines of this checkout in the image: experiments.py check, then experiments.py run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from container import confined, mount
from git_repository import GitRepository, destination
from landing import KEPT
from package import UserError
from pipelines import OPTIONAL
from step import run, set_outputs, temporary, variable

REPOSITORY = Path("/repository")


def main() -> None:
    """One of the two stages."""
    stages = {"check": check, "run": reproduce}
    if len(sys.argv) != 2 or sys.argv[1] not in stages:
        raise UserError(f"{sys.argv[1:]} is no stage", f"give one of {', '.join(stages)}")
    stages[sys.argv[1]]()


def check() -> None:
    """Say which branch the results go to, before hours are spent on them."""
    sys.stderr.write(f"the results go to {destination(GitRepository())!r}\n")


def reproduce() -> None:
    """Run DVC as this user in a container that sees the checkout; leave the folder with the results as an output."""
    KEPT.unlink(missing_ok=True)
    done = subprocess.run(command(), check=False)
    if KEPT.exists():
        folder = temporary("results")
        folder.mkdir()
        shutil.copyfile(KEPT, folder / KEPT.name, follow_symlinks=False)
        set_outputs({"folder": str(folder)})
    if done.returncode:
        raise UserError(f"the pipelines ended with {done.returncode}", "their messages are above")


def command() -> list[str]:
    """`docker run`; what is secret is named and not written out."""
    known = [f"--env={name}" for name in (*OPTIONAL, "EXAMPLE") if os.environ.get(name)]
    told = [f"--env={name}" for name in ("GITHUB_ACTIONS", "GITHUB_REF_NAME", "GITHUB_REF_TYPE") if name in os.environ]
    return [
        *confined(), f"--name={variable('CONTAINER')}",
        "--env=DVC_SITE_CACHE_DIR=/tmp/dvc", "--env=PYTHONDONTWRITEBYTECODE=1", *known, *told,
        mount(Path(), REPOSITORY, writable=True), f"--workdir={REPOSITORY}",
        variable("IMAGE"), "python", ".ci/scripts/pipelines.py", "run",
    ]  # fmt: skip


if __name__ == "__main__":
    run(main)
