"""Check what the form asks for and write it down as arguments, before anything else uses it.

This is the only place where inputs become arguments. They come as one JSON text in `INPUTS` and leave as two files of
NUL-separated arguments, `arguments.prepare` and `arguments.train` in the job's temporary folder.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import settings
from package import UserError, names
from paths import inside
from step import run, set_outputs, temporary, variable

EXPERIMENTS = "experiments"
PARENT = "pretrained_model"  # the one setting of the form that also names a workflow run
NO_FILE = ("", names.NO_WEIGHTS, *names.PUBLISHED_WEIGHTS)
DESCRIPTION = "db_connect.yaml"  # at the root of the repository: which database and query `database` is
SETTINGS = tuple(name for name in names.IN_THE_FORM if name != PARENT)
TEXTS = ("experiment_name", "run_name", "dataset_folder", *names.IN_THE_FORM, "overrides", "runner")
# Who may start these has write access; a pull request comes from anybody.
TRUSTED_EVENTS = ("workflow_dispatch", "push", "schedule")


def main() -> None:
    """Write the arguments and what later steps must know."""
    inputs = read(variable("INPUTS"))
    check_runner(inputs["runner"])
    run_folder = check_run(inputs)
    if inputs["save_results"]:
        check_branch(run_folder)
    dataset = check_dataset(inputs["dataset_folder"])
    parent, parent_run = check_parent(inputs[PARENT])
    given = settings.check({name: inputs[name] for name in SETTINGS} | settings.overrides(inputs["overrides"]))
    arguments = [f"--dataset_folder={dataset}", *(f"--{name}={value}" for name, value in given.items())]
    if dataset == names.DATABASE:
        arguments.append(f"--db_connect={DESCRIPTION}")
    if parent:
        arguments.append(f"--pretrained_model={parent}")
    called = [f"--experiment_name={inputs['experiment_name']}", f"--run_name={inputs['run_name']}"]
    write("arguments.prepare", arguments)
    write("arguments.train", [*called, *arguments])
    set_outputs(
        {
            "run_folder": run_folder,
            "dataset": {names.DATABASE: DESCRIPTION, **dict.fromkeys(names.BUILT_IN_DATA, "")}.get(dataset, dataset),
            "model": model_outside(parent),
            "parent_run": parent_run,
            "lfs": ",".join(wanted(dataset, parent)),
            "cache": cache_key(dataset, given.get("model", "") if parent in names.PUBLISHED_WEIGHTS else ""),
        }
    )


def read(text: str) -> dict[str, Any]:
    """The inputs, each of its type; who calls by the API or from another workflow leaves out what is empty."""
    given = json.loads(text)
    unknown = given.keys() - {*TEXTS, "save_results"} if isinstance(given, dict) else text
    if unknown:
        raise UserError(f"the inputs hold {sorted(unknown)}", "training.yaml and request.py know different inputs")
    inputs = {name: "" if given.get(name) is None else given[name] for name in TEXTS}
    for name, value in inputs.items():
        if not isinstance(value, str):
            raise UserError(f"{name} is {value!r} and not a text", "put it into quotes")
    save = given.get("save_results") or False
    if not isinstance(save, bool):
        raise UserError(f"save_results is {save!r}", "give true or false")
    return inputs | {"save_results": save, "runner": inputs["runner"] or names.RUNNERS[0]}


def check_runner(runner: str) -> None:
    """Refuse an unknown runner, and our own machines for events that anybody can cause."""
    if runner not in names.RUNNERS:
        raise UserError(f"runner is {runner!r}", f"choose one of {', '.join(names.RUNNERS)}")
    event = variable("GITHUB_EVENT_NAME")
    if runner != names.RUNNERS[0] and event not in TRUSTED_EVENTS:
        raise UserError(f"{runner} was asked for by {event}", f"it serves {', '.join(TRUSTED_EVENTS)} only")


def check_run(inputs: Mapping[str, Any]) -> str:
    """`experiment/run`, which must be new."""
    for field in ("experiment_name", "run_name"):
        names.check_name(inputs[field], field)
    inside(EXPERIMENTS, "the experiments folder")
    folder = f"{inputs['experiment_name']}/{inputs['run_name']}"
    if os.path.lexists(Path(EXPERIMENTS, folder)):
        raise UserError(f"{folder} is in this branch already; a run is never overwritten", "choose another run_name")
    return folder


def check_branch(run_folder: str) -> None:
    """Refuse names that git takes for folders but not for branches, such as `a..b` and `a.lock`."""
    done = subprocess.run(["git", "check-ref-format", f"refs/heads/results/{run_folder}"], check=False)
    if done.returncode:
        raise UserError(
            f"results/{run_folder} cannot be the name of a branch",
            "names for save_results have no two dots in a row, and do not end in a dot or in .lock",
        )


def check_dataset(dataset: str) -> str:
    """A built-in name, or a path in this repository; the default where nothing is given."""
    if dataset == names.DATABASE and not inside(DESCRIPTION, "the description of the database").is_file():
        hint = "docs/data.md says what it holds; the password is the secret DB_PASS"
        raise UserError(f"there is no {DESCRIPTION} at the root of this repository", hint)
    if dataset in names.NAMED_DATA:
        return dataset
    path = inside(dataset or names.DEFAULT_DATASET, "dataset_folder")
    if not path.exists() and str(path) != names.DEFAULT_DATASET:
        built_in = ", ".join(names.NAMED_DATA)
        hint = f"give {built_in} or the path of a folder or table that is committed in this branch"
        raise UserError(f"dataset_folder {dataset!r} is not in this repository", hint)
    return str(path)


def check_parent(value: str) -> tuple[str, str]:
    """The trainer's `--pretrained_model`, and the workflow run to fetch it from."""
    if value in NO_FILE:
        return value, ""
    if value.startswith("run:"):
        number = value.removeprefix("run:")
        if not re.fullmatch(r"[1-9][0-9]{0,18}", number):
            raise UserError(f"{PARENT} is {value!r}", "a run's number is in its address: …/actions/runs/<number>")
        return "", number
    plain = inside(value, PARENT, resolve=False)
    for folder in (EXPERIMENTS, "."):
        path = inside(os.path.normpath(f"{folder}/{plain}"), PARENT)
        if path.is_file():
            return os.path.relpath(path, EXPERIMENTS), ""
    raise UserError(
        f"{PARENT} {value!r} is neither under {EXPERIMENTS}/ nor in the repository",
        f"give the path of a committed {names.MODEL}, {names.IMAGENET}, or run:<number of a workflow run>",
    )


def model_outside(parent: str) -> str:
    """The parent's model if it is in the repository but not under the experiments folder."""
    return os.path.normpath(Path(EXPERIMENTS, parent)) if parent.startswith("../") else ""


def wanted(dataset: str, parent: str) -> list[str]:
    """The paths, without links, whose files must be there in full and not as pointers to Git LFS."""
    paths = [Path(dataset)] if dataset not in names.NAMED_DATA and Path(dataset).exists() else []
    if parent not in NO_FILE:
        model = Path(os.path.normpath(Path(EXPERIMENTS, parent)))
        # The parent's other files are what the summary compares with.
        paths.append(model.parent if model.is_relative_to(EXPERIMENTS) else model)
    return [str(path.resolve().relative_to(Path.cwd().resolve())) for path in paths]


def cache_key(dataset: str, weights: str) -> str:
    """What of the data comes over the network, named by its content where git knows it; empty for nothing."""
    found = subprocess.run(["git", "rev-parse", f"HEAD:{dataset}"], capture_output=True, text=True, check=False)
    known = found.stdout.strip() if found.returncode == 0 else Path(dataset).name
    content = "" if dataset in names.NAMED_DATA else known
    return "-".join(filter(None, ("data", content, weights))) if content or weights else ""


def write(name: str, arguments: list[str]) -> None:
    """The arguments as a file, each ended by NUL, which no argument can hold."""
    temporary(name).write_bytes(b"".join(argument.encode() + b"\0" for argument in arguments))


if __name__ == "__main__":
    run(main)
