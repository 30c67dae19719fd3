"""Commit what the pipelines left, from a step of Drone: in the image, in Drone's clone of a tag."""

import sys

from dulwich_repository import DulwichRepository
from landing import KEPT, Landing, Results, home
from step import run, variable


def main() -> None:
    """From the files to the branch that the tag is on."""
    if not KEPT.exists():
        sys.stderr.write("the pipelines left nothing: nothing is committed\n")
        return
    repository = DulwichRepository()
    commit = repository.head()
    branch = home(repository.branches(commit), commit, variable("DRONE_REPO_BRANCH"))
    landing = Landing(repository, commit, branch, aside=f"results/{variable('DRONE_TAG')}")
    sys.stderr.write(f"{landing.put(Results.read(KEPT.read_bytes()))}\n")


if __name__ == "__main__":
    run(main)
