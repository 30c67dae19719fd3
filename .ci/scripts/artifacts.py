"""The artifact of a workflow run: found, downloaded, and compared with GitHub's own digest."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import github
from package import UserError
from step import variable
from unpacking import MOST_BYTES

NAME = "experiment_results"


def newest(run_id: str) -> Mapping[str, Any]:
    """The newest artifact with results of a run (a run that was run again has one for each attempt)."""
    listed = github.ask(f"actions/runs/{run_id}/artifacts?name={NAME}&per_page=100")["artifacts"]
    ours = [each for each in listed if each["name"] == NAME and str(each["workflow_run"]["id"]) == run_id]
    if not ours:
        raise UserError(f"the workflow run {run_id} has no artifact {NAME}", "choose a run that trained a model")
    found: Mapping[str, Any] = max(ours, key=lambda each: int(each["id"]))
    return found


def of_this_run() -> Mapping[str, Any]:
    """What an earlier job of this run uploaded: the artifact with the number and the digest that this job was told."""
    artifact = newest(variable("GITHUB_RUN_ID"))
    told = (variable("ARTIFACT_ID"), f"sha256:{variable('ARTIFACT_DIGEST').removeprefix('sha256:')}")
    found = (str(artifact["id"]), artifact.get("digest"))
    if found != told:
        raise UserError(f"the artifact is {found} and not {told}", "run the job again")
    return artifact


def fetch(artifact: Mapping[str, Any], target: Path) -> None:
    """Write the artifact's zip to `target`, with the digest that GitHub has for it."""
    name = f"the artifact of the workflow run {artifact['workflow_run']['id']}"
    if artifact["expired"]:
        raise UserError(f"{name} has expired", "save results you build on with save_results, and give their path")
    if int(artifact["size_in_bytes"]) > MOST_BYTES:
        raise UserError(f"{name} has {artifact['size_in_bytes']} bytes", "this is no run of the trainer")
    expected = artifact.get("digest")
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", str(expected)):
        raise UserError(f"GitHub has no digest for {name}", "train again: artifacts made today have one")
    found = github.download(f"actions/artifacts/{int(artifact['id'])}/zip", target, MOST_BYTES)
    if found != expected:
        raise UserError(
            f"{name} has the digest {found} and not {expected}", "run the job again; if it stays, tell GitHub"
        )
