"""Run example pipelines with DVC, inside the image: pipelines.py run; pipelines.py data runs what prepares data alone.

Both orchestrators call this. What is run follows from $EXAMPLE, else from the tag's name. Data is pushed to DVC's
remote; what belongs into Git is left in .dvc/tmp/results.json, from where the orchestrator commits it.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from landing import Results
from package import UserError, names, webhook
from step import annotate, plain, run
from variables import FOR_TRACKING, KEYS

EXAMPLES = Path("examples")
LOCK = Path("requirements/requirements-prod.txt")
PREFIXES = ("run-examples", "run-example", "process-data")
PREPARE = "prepare"
OPTIONAL = (*FOR_TRACKING, webhook.VARIABLE)


def main() -> None:
    """Reproduce, push, and leave the results; a pipeline that fails stops no other, but is told at the end."""
    if sys.argv[1:] not in (["run"], ["data"]):
        raise UserError(f"{sys.argv[1:]} is no stage", "give run or data")
    known = sorted(each.parent.name for each in EXAMPLES.glob("*/dvc.yaml"))
    chosen = wanted(os.environ.get("EXAMPLE") or tag(), known)
    Results.forget()
    check_packages()
    settle_environment()
    pipelines = [f"{EXAMPLES}/{name}/dvc.yaml" for name in chosen]
    targets = pipelines if sys.argv[1] == "run" else stages_that_prepare(pipelines)
    unreachable = why_unreachable()
    completed = dvc("repro", *([] if unreachable else ["--pull"]), "--keep-going", *targets)
    if not unreachable and not dvc("push", "--run-cache", *targets):
        raise UserError("the data was not pushed (above): nothing is committed", "check DVC's remote and its keys")
    Results.of(left_for_git()).keep()
    if unreachable:
        tell(f"the data was NOT pushed: {unreachable}. docs/pipelines.md says how to set up a remote.")
    if not completed:
        raise UserError("a pipeline failed (above)", "what the others made is kept; mend this one and tag again")


def wanted(asked: str, known: list[str]) -> list[str]:
    """The examples that a choice or a tag names (`run-example-digits`, `run-example-digits-2`), else all of them."""
    if not known:
        raise UserError(f"there is no {EXAMPLES}/NAME/dvc.yaml", "run this in the repository's root")
    rest = asked
    for prefix in PREFIXES:
        rest = rest.removeprefix(prefix)
    rest = rest.removeprefix("-")
    return [name for name in known if rest == name or rest.startswith(f"{name}-")] or known


def tag() -> str:
    """The tag that started this, on GitHub or in Drone; empty for a branch."""
    on_github = os.environ.get("GITHUB_REF_NAME", "") if os.environ.get("GITHUB_REF_TYPE") == "tag" else ""
    return os.environ.get("DRONE_TAG") or on_github


def check_packages() -> None:
    """Refuse an image whose packages are not those of this commit: dvc.lock would name a lock that was not used."""
    installed = os.environ.get(names.LOCK_DIGEST)
    if installed and LOCK.exists() and hashlib.sha256(LOCK.read_bytes()).hexdigest() != installed:
        raise UserError(f"this image was not made from the {LOCK} of this commit", "build it: source docker/build.sh")


def settle_environment() -> None:
    """A secret that is not set is empty here, and must not be there; S3 is where MLflow's is, if DVC names no other."""
    for name in OPTIONAL:
        if not os.environ.get(name):
            os.environ.pop(name, None)
    # The code of this commit, which may be newer than the image.
    os.environ |= {"PYTHONPATH": str(Path.cwd()), "PYTHONDONTWRITEBYTECODE": "1"}
    if "DRONE_COMMIT_SHA" in os.environ:
        os.environ[names.GIT_COMMIT] = os.environ["DRONE_COMMIT_SHA"]
    # A store beside the runs would end with this machine.
    os.environ.setdefault(names.TRACKING_URI, names.OFF)
    if "MLFLOW_S3_ENDPOINT_URL" in os.environ:
        os.environ.setdefault("AWS_ENDPOINT_URL_S3", os.environ["MLFLOW_S3_ENDPOINT_URL"])


def stages_that_prepare(pipelines: list[str]) -> list[str]:
    """The stages named prepare, also those that one `foreach` or `matrix` makes."""
    found = []
    for pipeline in pipelines:
        command = ["dvc", "stage", "list", "--name-only", pipeline]
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
        if listed.returncode:
            raise UserError(f"{pipeline} cannot be read: {listed.stderr.strip()}", "does `dvc stage list` work?")
        stages = [line.rpartition(":")[2] for line in listed.stdout.split()]
        found += [f"{pipeline}:{name}" for name in stages if name.partition("@")[0] == PREPARE]
    if not found:
        raise UserError(f"{', '.join(pipelines)}: no stage {PREPARE}", "name the stage that makes the data so")
    return found


def why_unreachable() -> str:
    """Why data cannot be kept beyond this machine; empty if it can."""
    from dvc.repo import Repo  # type: ignore[import-untyped]  # noqa: PLC0415

    with Repo() as repo:
        name = repo.config["core"].get("remote")
        url = str(repo.config["remote"].get(name, {}).get("url", "")) if name else ""
    if not url:
        return "DVC has no default remote"
    if "://" not in url:
        return f"DVC's default remote {plain(name)} is a folder, which would be gone with this machine"
    if url.startswith("s3://") and not all(os.environ.get(each) for each in KEYS):
        return "the secrets MINIO_ACCESS_KEY_ID and MINIO_SECRET_ACCESS_KEY are not set"
    return ""


def left_for_git() -> list[str]:
    """The files that DVC leaves to Git: its lock files, its .gitignore files, and outputs that it does not cache."""
    from dvc.repo import Repo  # noqa: PLC0415

    with Repo() as repo:
        bare = [Path(repo.root_dir), *(Path(out.fs_path) for out in repo.index.outs if not out.use_cache)]
    root, *outs = bare
    files = [each for out in outs for each in ([out] if out.is_file() else sorted(out.rglob("*"))) if each.is_file()]
    made = [*root.glob(f"{EXAMPLES}/*/dvc.lock"), *root.glob(f"{EXAMPLES}/**/.gitignore"), *files]
    return sorted({each.relative_to(root).as_posix() for each in made if root in each.parents})


def dvc(*arguments: str) -> bool:
    """Whether DVC did it; it says itself what it does."""
    return subprocess.run(["dvc", *arguments], check=False).returncode == 0


def tell(text: str) -> None:
    """Say it in the log and, on GitHub, on the run's page."""
    sys.stderr.write(f"{text}\n")
    annotate("warning", text)


if __name__ == "__main__":
    run(main)
