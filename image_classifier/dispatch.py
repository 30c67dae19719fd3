"""The form that GitHub shows for the training workflow, derived from `Config`."""

from typing import Any

import yaml

from image_classifier.config import BUILT_IN_DATA, FIELDS

# The settings with a field of their own, in the form's order; every other one fits into `overrides`.
SETTINGS = ("model", "learning_rate", "momentum", "num_epochs", "num_workers", "batch_size", "pretrained_model")
RUNNERS = ("ubuntu-24.04", "self-hosted-gpu")

_NAME = "letters, digits, dots, dashes, underscores"
_PARENT = "a run of this workflow: run:<the number in its address>"


def inputs() -> str:
    """The `inputs:` of `workflow_dispatch` as YAML; those of `workflow_call` have `string` for `choice`."""
    data = f"{', '.join(BUILT_IN_DATA)}, or a path in this repository (empty: CIFAR-10, downloaded)"
    form: dict[str, Any] = {
        "experiment_name": _text(f"the folder that related runs share ({_NAME})", required=True),
        "run_name": _text(f"the run's name within the experiment ({_NAME})", required=True),
        "dataset_folder": _text(data),
        **{name: _text(_described(name)) for name in SETTINGS},
        "overrides": _text("any other settings, as name=value name=value"),
        "runner": _text("where to train", type="choice", default=RUNNERS[0], options=list(RUNNERS)),
        "save_results": _text("open a pull request with the run folder", type="boolean", default=False),
    }
    return yaml.safe_dump({"inputs": form}, sort_keys=False, width=4096, allow_unicode=True)


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, "required": False, "type": "string"} | more


def _described(name: str) -> str:
    about = FIELDS[name].metadata
    if name == "pretrained_model":
        return f"{about['help']}, or {_PARENT}"
    default = "the recipe's" if about["recipe"] else "chosen by the data" if name == "model" else FIELDS[name].default
    return f"{about['help'].removesuffix('; by default chosen by the data')} (empty: {default})"
