"""Gather a run folder as `experiment/run/…` in a folder of its own, which becomes the artifact."""

import os
import shutil
import stat
from pathlib import Path

from package import UserError
from step import run, set_outputs, temporary, variable


def main() -> None:
    """Copy the run's files and say where they are; without a run folder there is nothing to say."""
    run_folder = variable("RUN_FOLDER")
    source = Path("experiments", run_folder)
    files = sorted(entry.name for entry in os.scandir(source) if wanted(entry)) if source.is_dir() else []
    if not files:
        return
    target = temporary("results") / run_folder
    target.mkdir(parents=True)
    for name in files:
        shutil.copyfile(source / name, target / name, follow_symlinks=False)
    set_outputs({"folder": str(temporary("results"))})


def wanted(entry: os.DirEntry[str]) -> bool:
    """Whether it is one of the run's files; a link would put a file of this machine into the artifact."""
    if entry.name.startswith(".") or entry.name.endswith(".tmp"):
        return False
    if not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
        raise UserError(f"{entry.path} is no regular file", "a run folder holds files only")
    return True


if __name__ == "__main__":
    run(main)
