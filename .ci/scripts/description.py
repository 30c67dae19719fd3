"""The text of a results pull request: figures from `metrics.json`, each checked to be one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from package import names

_MOST_BYTES = 4 << 20
_WORST = 3


def text(run_folder: str, folder: Path, address: str) -> str:
    """Markdown in which nothing but numbers and letters comes from the run."""
    metrics = _metrics(folder / names.METRICS)
    low, high = [*_list(metrics.get("accuracy_ci95")), None, None][:2]
    rows = {
        "test examples": _number(metrics.get("n"), ".0f"),
        "accuracy": f"{_number(metrics.get('accuracy'))} (95 % interval {_number(low)} to {_number(high)})",
        "loss": _number(metrics.get("loss")),
        "macro F1": _number(metrics.get("macro_f1")),
        "worst classes": ", ".join(_worst(metrics.get("per_class"))) or "–",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return (
        f"| `{run_folder}` | |\n|---|---|\n{table}\n\n"
        f"[The workflow run]({address}) shows the whole summary. Merged, a training can begin with this one: "
        f"`pretrained_model` is `{run_folder}/{names.MODEL}`.\n"
    )


def _metrics(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_bytes()[:_MOST_BYTES]) if path.is_file() else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any, form: str = ".4f") -> str:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
    return format(value, form) if usable else "–"


def _worst(classes: Any) -> list[str]:
    known = {
        name: each["accuracy"]
        for name, each in (classes.items() if isinstance(classes, dict) else ())
        if isinstance(each, dict) and _number(each.get("accuracy")) != "–"
    }
    return [f"{_name(name)} {_number(known[name])}" for name in sorted(known, key=lambda name: known[name])[:_WORST]]


def _name(name: str) -> str:
    """A class's name without anything that Markdown, HTML or GitHub gives a meaning to."""
    return "".join(letter if letter.isalnum() or letter in " -" else "·" for letter in name[:40])
