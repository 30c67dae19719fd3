"""Fetch the model of an earlier workflow run, so that this training can begin with it.

Only a successful dispatch of the training workflow in this repository is taken: others may hold what anybody made.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import artifacts
import github
from package import UserError, names
from step import run, set_outputs, temporary, variable
from unpacking import unpack

WORKFLOW = ".github/workflows/training.yaml"
# No experiment's name begins with a dot: nothing here can stand in a run's place.
PARENTS = Path("experiments", ".parents")


def main() -> None:
    """Put the parent's run folder under the experiments folder and say where its model is."""
    run_id = variable("PARENT_RUN")
    if PARENTS.resolve() != Path.cwd().resolve() / PARENTS:
        raise UserError(f"{PARENTS} is a link", "runs are kept in folders: remove the link from the repository")
    check(github.ask(f"actions/runs/{int(run_id)}"), run_id)
    archive = temporary(f"parent-{run_id}.zip")
    artifacts.fetch(artifacts.newest(run_id), archive)
    run_folder = unpack(archive, PARENTS / run_id)
    archive.unlink()
    model = PARENTS / run_id / run_folder / names.MODEL
    if not model.is_file():
        raise UserError(f"the workflow run {run_id} left no {names.MODEL}", "choose a run that was finished")
    set_outputs({"parent": str(model.relative_to("experiments"))})


def check(found: Mapping[str, Any], run_id: str) -> None:
    """Refuse every run but a successful dispatch of this workflow in this repository."""
    repository = github.repository().lower()
    facts = {
        "number": (str(found["id"]), run_id),
        "repository": (str(found["repository"]["full_name"]).lower(), repository),
        "head repository": (str((found["head_repository"] or {}).get("full_name")).lower(), repository),
        "workflow": (str(found["path"]).partition("@")[0], WORKFLOW),
        "event": (found["event"], "workflow_dispatch"),
        "conclusion": (found["conclusion"], "success"),
    }
    for name, (value, wanted) in facts.items():
        if value != wanted:
            raise UserError(
                f"the {name} of the workflow run {run_id} is {value!r} and not {wanted!r}",
                "run:<number> takes a successful run of Image Classifier Training in this repository",
            )


if __name__ == "__main__":
    run(main)
