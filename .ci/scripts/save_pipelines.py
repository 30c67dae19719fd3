"""Commit what the pipelines left, from the artifact of the job that ran them; nothing of it is executed."""

import os
import zipfile
import zlib
from pathlib import Path

import artifacts
from git_repository import GitRepository, destination
from landing import KEPT, Landing, Results
from package import UserError
from step import plain, run, temporary, variable

_MOST_BYTES = 64 << 20


def main() -> None:
    """From the artifact to the branch."""
    archive = temporary("results.zip")
    artifacts.fetch(artifacts.of_this_run(), archive)
    repository, commit = GitRepository(), variable("GITHUB_SHA")
    aside = f"results/{variable('GITHUB_REF_NAME')}"
    if os.environ.get("GITHUB_REF_TYPE") == "branch":
        aside += f"-{variable('GITHUB_RUN_ID')}"
    landing = Landing(repository, commit, destination(repository), aside)
    said = landing.put(Results.read(unpacked(archive)))
    with Path(variable("GITHUB_STEP_SUMMARY")).open("a", encoding="utf-8") as stream:
        stream.write(f"    {plain(said)}\n")  # as it stands: a tag can be named like a link


def unpacked(archive: Path) -> bytes:
    """The one file of the artifact."""
    try:
        with zipfile.ZipFile(archive) as source:
            (member,) = source.infolist()
            if member.filename != KEPT.name or member.file_size > _MOST_BYTES:
                raise UserError(f"the artifact holds {member.filename!r}", "run the workflow again")
            return source.read(member)
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"the artifact is no sound zip of one file: {error}", "run the workflow again") from error


if __name__ == "__main__":
    run(main)
