"""Fetch from Git LFS what the training needs and nothing else: each object fetched counts against the quota."""

from git_client import git
from step import run, variable


def main() -> None:
    """Replace the pointers under the wanted paths by their files."""
    wanted = variable("WANTED")
    hint = "check that the files were pushed with Git LFS, and that its quota is not used up"
    git("lfs", "install", "--local", "--skip-repo", hint="the runner needs git-lfs")
    git("lfs", "pull", f"--include={wanted}", "--exclude=", hint=hint)


if __name__ == "__main__":
    run(main)
