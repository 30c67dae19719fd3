"""The settings as others want them: files of settings, a page of reference, GitHub's form. All is read off `Config`."""

import dataclasses
import textwrap
from typing import Any

import yaml

from image_classifier.settings.composition import Composition, parse
from image_classifier.settings.config import FIELDS, expected, spelled
from image_classifier.settings.families import FAMILIES, Family, read_recipe
from image_classifier.settings.names import BUILT_IN_DATA, IN_THE_FORM, RUNNERS

_PROSE = 120  # columns of a page's text
_WIDE = 4096  # characters: no line of YAML is folded

_HEAD = """# Settings

Every setting is a flag (`--learning_rate 0.01`), a key in a `--config` file (`learning_rate: 0.01`) and an argument in
Python (`train(learning_rate=0.01, …)`). Later wins: defaults, the model's recipe, `--config` files in order, flags.
A setting that is *not numeric* cannot change a result. This page is made by `image_classifier config --as reference`.

| setting | accepts | default | meaning |
|---|---|---|---|
"""


def as_yaml(composition: Composition) -> str:
    """The settings as YAML that `--config` accepts, each with where it came from as a comment."""
    lines = []
    for name, value in composition.values().items():
        text = f"{name}: {yaml.safe_dump(value, default_flow_style=True, width=_WIDE).splitlines()[0]}"
        lines.append(f"{text:<32} # {composition.origins[name]}")
    return "\n".join(lines) + "\n"


def as_params(composition: Composition) -> str:
    """The settings and the data as flat YAML that DVC reads as a file of parameters, and `--config` as settings."""
    values = {"dataset_folder": composition.dataset_folder, **composition.values()}
    return yaml.safe_dump(values, sort_keys=False, width=_WIDE, allow_unicode=True)


def reference_page() -> str:
    """The page of all settings and recipes, as Markdown."""
    return _HEAD + "\n".join(map(_row, FIELDS.values())) + "\n" + _recipes()


def _row(field: dataclasses.Field[Any]) -> str:
    about = field.metadata
    default = f"`{spelled(field.default)}`"
    if about["recipe"]:
        default = "by the recipe"
    elif field.name == "pretrained_model":
        default = "none"
    elif field.default in (None, dataclasses.MISSING):
        default = "by the data"
    numeric = "" if about["numeric"] else " *Not numeric.*"
    return f"| `{field.name}` | {expected(field)} | {default} | {about['help']}.{numeric} |"


def _recipes() -> str:
    recipes = {each.recipe: parse(read_recipe(each.names[0]), each.recipe) for each in FAMILIES}
    names = [name for name in FIELDS if any(name in recipe for recipe in recipes.values())]
    lines = ["", "## Recipes", "", f"| setting | {' | '.join(recipes)} |", "|---" * (len(recipes) + 1) + "|"]
    for name in names:
        cells = [f"`{spelled(recipe[name])}`" if name in recipe else "–" for recipe in recipes.values()]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    sharing = [_sharing(each) for each in FAMILIES if each.recipe not in each.names]
    return "\n".join([*lines, *sharing, ""])


def _sharing(family: Family) -> str:
    text = f"The recipe `{family.recipe}` serves {', '.join(f'`{name}`' for name in family.names)}."
    return "\n" + textwrap.fill(text, _PROSE, break_long_words=False, break_on_hyphens=False)


def dispatch_form() -> str:
    """The `inputs:` of `workflow_dispatch` as YAML; those of `workflow_call` have `string` for `choice`."""
    data = f"{', '.join(BUILT_IN_DATA)}, database (by db_connect.yaml), or a path in this repository (empty: CIFAR-10)"
    name = "letters, digits, dots, dashes, underscores"
    form: dict[str, Any] = {
        "experiment_name": _input(f"the folder that related runs share ({name})", required=True),
        "run_name": _input(f"the run's name within the experiment ({name})", required=True),
        "dataset_folder": _input(data),
        **{name: _input(_described(name)) for name in IN_THE_FORM},
        "overrides": _input("any other settings, as name=value name=value"),
        "runner": _input("where to train", type="choice", default=RUNNERS[0], options=list(RUNNERS)),
        "save_results": _input("open a pull request with the run folder", type="boolean", default=False),
    }
    return yaml.safe_dump({"inputs": form}, sort_keys=False, width=_WIDE, allow_unicode=True)


def _input(description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, "required": False, "type": "string"} | more


def _described(name: str) -> str:
    about = FIELDS[name].metadata
    if name == "pretrained_model":
        return f"{about['help']}, or a run of this workflow: run:<the number in its address>"
    default = "the recipe's" if about["recipe"] else "chosen by the data" if name == "model" else FIELDS[name].default
    return f"{about['help'].removesuffix('; by default chosen by the data')} (empty: {default})"
