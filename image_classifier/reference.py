"""The reference page of all settings, derived from `Config` and the recipes."""

import dataclasses
from typing import Any

from image_classifier.composition import parse
from image_classifier.config import BUILDERS, FIELDS, expected, read_recipe, recipe_name

_HEAD = """# Settings

Every setting is a flag (`--learning_rate 0.01`), a key in a `--config` file (`learning_rate: 0.01`) and an argument of
`Config(learning_rate=0.01)`. Later wins: defaults, the model's recipe, `--config` files in their order, flags.
A setting that is *not numeric* cannot change a result. This page is made by `image_classifier config --as reference`.

| setting | accepts | default | meaning |
|---|---|---|---|
"""


def page() -> str:
    """The whole page as Markdown."""
    rows = [_row(field) for field in FIELDS.values()]
    return _HEAD + "\n".join(rows) + "\n" + _recipes()


def _row(field: dataclasses.Field[Any]) -> str:
    about = field.metadata
    default = (
        "by the recipe" if about["recipe"] else "by the data" if field.default is None else f"`{_yaml(field.default)}`"
    )
    if field.name == "pretrained_model":
        default = "none"
    numeric = "" if about["numeric"] else " *Not numeric.*"
    return f"| `{field.name}` | {expected(field)} | {default} | {about['help']}.{numeric} |"


def _recipes() -> str:
    names = list(dict.fromkeys(map(recipe_name, BUILDERS)))
    recipes = {name: parse(read_recipe(name), name) for name in names}
    settings = [name for name in FIELDS if any(name in recipe for recipe in recipes.values())]
    lines = ["", "## Recipes", "", f"| setting | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for setting in settings:
        cells = [f"`{_yaml(recipes[name][setting])}`" if setting in recipes[name] else "–" for name in names]
        lines.append(f"| `{setting}` | {' | '.join(cells)} |")
    sharing = "".join(_sharing(recipe) for recipe in names if recipe not in BUILDERS)
    return "\n".join([*lines, sharing, ""])


def _sharing(recipe: str) -> str:
    models = ", ".join(f"`{model}`" for model in BUILDERS if recipe_name(model) == recipe)
    return f"\nThe recipe `{recipe}` serves {models}."


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
