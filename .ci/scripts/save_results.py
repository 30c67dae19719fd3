"""Commit a run folder through Git LFS to a branch of its own and open a pull request for it.

Nothing of the artifact is executed, and of its content only figures and class names reach the pull request's text.
"""

import os
import subprocess
from pathlib import Path

import artifacts
import description
import github
from git_client import BOT, git
from package import UserError, lfs, names
from step import plain, run, temporary, variable
from unpacking import unpack

IN_LFS = (".pth", ".png", ".npz", ".skops", ".html")


def main() -> None:
    """From the artifact to the pull request; whatever is there already is left alone."""
    run_folder = variable("RUN_FOLDER")
    folder = check_new(run_folder)
    branch = f"results/{run_folder}"
    if git("ls-remote", "origin", f"refs/heads/{branch}", hint="check that the job may read the repository"):
        raise UserError(
            f"the branch {branch} exists already", "merge or delete it, or train again under another run_name"
        )
    archive = temporary("results.zip")
    artifacts.fetch(artifacts.of_this_run(), archive)
    unpacked = temporary("unpacked")
    found = unpack(archive, unpacked)
    if found != run_folder:
        raise UserError(f"the artifact holds {found} and not {run_folder}", "this is a bug of the workflow")
    folder.parent.mkdir(parents=True, exist_ok=True)
    (unpacked / run_folder).rename(folder)
    commit(folder, branch, run_folder)
    push(branch)
    announce(open_pull_request(branch, run_folder, folder), picture(folder))


def check_new(run_folder: str) -> Path:
    """Where the run will stand; not where one stands, and not behind a link."""
    parts = run_folder.split("/")
    if len(parts) != 2 or not all(names.RUN_NAME.fullmatch(part) for part in parts):
        raise UserError(f"{run_folder!r} is no run", "this is a bug of the workflow")
    folder = Path("experiments", run_folder)
    if os.path.lexists(folder):
        raise UserError(f"{folder} is in this branch already", "a run is never overwritten: choose another run_name")
    if folder.parent.resolve() != Path.cwd().resolve() / folder.parent:
        raise UserError(f"{folder.parent} is a link", "runs are kept in folders")
    return folder


def commit(folder: Path, branch: str, run_folder: str) -> None:
    """One commit with the run folder and nothing else, its large files as pointers."""
    hint = "the runner needs git and git-lfs"
    git("lfs", "install", "--local", "--skip-repo", hint=hint)
    git("switch", "--create", branch, hint=hint)
    # A folder that .gitignore leaves out, such as experiments/demo, was asked for by name here.
    git("add", "--force", "--", str(folder), hint=hint)
    large = sorted(str(path) for path in folder.iterdir() if path.suffix in IN_LFS)
    bare = [name for name in large if not staged(name).startswith(lfs.POINTER)]
    if bare:
        raise UserError(f"{', '.join(bare)} would not go through Git LFS", "restore its line in .gitattributes")
    identity = ("-c", f"user.name={BOT[0]}", "-c", f"user.email={BOT[1]}")
    git(
        *identity,
        "commit",
        "--quiet",
        "-m",
        f"Results of {run_folder}\n\n{run_address()}",
        "--",
        str(folder),
        hint=hint,
    )


def staged(name: str) -> bytes:
    """The beginning of a file as it will be committed."""
    return subprocess.run(["git", "show", f":{name}"], capture_output=True, check=True).stdout[:200]


def push(branch: str) -> None:
    """LFS objects first: a branch whose objects are missing cannot be checked out. The branch must still be new."""
    hint = "check that the job may write, and that the quota of Git LFS is not used up"
    git("lfs", "push", "origin", branch, hint=hint)
    git("push", f"--force-with-lease=refs/heads/{branch}:", "origin", f"HEAD:refs/heads/{branch}", hint=hint)


def open_pull_request(branch: str, run_folder: str, folder: Path) -> str:
    """The address of the new pull request."""
    on_branch = os.environ.get("GITHUB_REF_TYPE") == "branch"
    body = {
        "title": f"Results of {run_folder}",
        "head": branch,
        "base": variable("GITHUB_REF_NAME" if on_branch else "DEFAULT_BRANCH"),
        "body": description.text(run_folder, folder, run_address()) + picture(folder),
    }
    try:
        return str(github.ask("pulls", body)["html_url"])
    except UserError as refused:
        raise UserError(
            f"{branch} was pushed, but no pull request opened: {refused.what}",
            "allow Actions to create pull requests (Settings, Actions, General), and open this one by hand",
        ) from refused


def announce(address: str, shown: str) -> None:
    """Put the address on the job's page, and the picture, which has an address only since the run was pushed."""
    with Path(variable("GITHUB_STEP_SUMMARY")).open("a", encoding="utf-8") as stream:
        stream.write(f"The run folder waits in a pull request: {plain(address)}\n{shown}")


def picture(folder: Path) -> str:
    """Markdown that shows the run's frequent error sets, as they were committed; empty where it has none."""
    path = folder / "error_sets.png"
    if not path.is_file():
        return ""
    commit = git("rev-parse", "HEAD", hint="the runner needs git").strip()
    address = f"{variable('GITHUB_SERVER_URL')}/{github.repository()}/raw/{commit}/{path.as_posix()}"
    return f"\n![Frequent error sets]({address})\n"


def run_address() -> str:
    """The page of this workflow run."""
    return f"{variable('GITHUB_SERVER_URL')}/{github.repository()}/actions/runs/{variable('GITHUB_RUN_ID')}"


if __name__ == "__main__":
    run(main)
