"""Notify: what a person wants to know of a run or a sweep, on the console, as a Markdown file, and to a webhook."""

import argparse
import logging
import os
from typing import Any

from image_classifier import files, runs
from image_classifier.composition import recipe_origin
from image_classifier.errors import UserError
from image_classifier.evaluation import summary, sweep_summary
from image_classifier.evaluation.comparison import Comparison, compare
from image_classifier.evaluation.metrics import Predictions
from image_classifier.runs import Run
from image_classifier.stages import sweep_record, webhook
from image_classifier.stages.compare import compared
from image_classifier.stages.sweep_record import Sweep

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> int:
    """Print the summary or write it, then tell the webhook; that it cannot be told is only a warning."""
    output = arguments.output
    if output and output.suffix != ".md":
        raise UserError(f"--output {output} does not end in .md", "the summary is Markdown")
    message = _message(arguments)
    if output:
        files.write_text(output, message["text"])
    else:
        print(message["text"], end="", flush=True)
    url = os.environ.get(webhook.VARIABLE, "").strip()
    wrong = webhook.post(url, message) if url else None
    if wrong:
        logger.warning("the webhook in $%s was not told: %s", webhook.VARIABLE, wrong)
    return 0


def _message(arguments: argparse.Namespace) -> dict[str, Any]:
    """The summary as text, and its figures for programs."""
    swept = sweep_record.find(arguments.run, arguments.experiments_folder)
    if swept:
        return _of_sweep(swept)
    told = runs.find(arguments.run, arguments.experiments_folder)
    metrics = told.metrics()
    return {
        "text": _summary(told),
        "kind": "run",
        "name": told.name,
        "accuracy": metrics["accuracy"],
        "accuracy_ci95": metrics["accuracy_ci95"],
        "validation_accuracy": metrics["val"]["accuracy"] if metrics["val"] else None,
    }


def _of_sweep(swept: Sweep) -> dict[str, Any]:
    told, best = swept.told, swept.best
    return {
        "text": sweep_summary.markdown(told),
        "kind": "sweep",
        "name": swept.name,
        "finished": len(told.scored),
        "failed": len(told.failed),
        "best": f"{swept.name}/{best.name}" if best else None,
        "accuracy": best.test if best else None,
        "validation_accuracy": best.validation if best else None,
    }


def _summary(told: Run) -> str:
    arrays = told.predictions()
    test = Predictions(arrays["test_labels"], arrays["test_probabilities"])
    return summary.markdown(
        summary.Summarised(told.name, told.metrics(), test, _facts(told), _asked(told), _against_parent(told))
    )


def _facts(told: Run) -> dict[str, str]:
    card, provenance = told.card, told.record["provenance"]
    place = card["runtime"]
    computed = (place["device"], place["precision"], f"{place['num_threads']} threads", place["capability"])
    commit = provenance["commit"] or "unknown"
    facts = {
        "model": str(told.config.model),
        "data": f"{told.record['dataset_folder']}, {len(told.classes)} classes, digest {card['dataset_digest'][:12]}",
        "commit": commit + (" with changes" if provenance["dirty"] else ""),
        "image": provenance["image_digest"] or "not in a container",
        "computed on": ", ".join(computed),
        "training": f"{told.record['timing']['training_seconds']:.1f} s, {len(told.history())} epochs",
        told.model_file: f"sha256 {told.record['files'][told.model_file]['sha256']}",
    }
    if card["parent_sha256"]:
        facts["parent"] = f"{told.config.pretrained_model}, sha256 {card['parent_sha256']}"
    return facts


def _asked(told: Run) -> dict[str, str]:
    """The settings that somebody chose, in a file, by a flag or in Python."""
    origins, config = told.record["origins"], told.record["config"]
    own = ("default", recipe_origin(str(told.config.model)))
    chosen = [name for name, origin in origins.items() if origin not in own and not origin.startswith("the data")]
    return {name: f"{config[name]} ({origins[name]})" for name in chosen}


def _against_parent(told: Run) -> Comparison | None:
    """The comparison with the run whose model this one started from, if that run is still what it was."""
    parent = told.card["parent_sha256"]
    if parent is None:
        return None
    folder = (told.folder.parent.parent / str(told.config.pretrained_model)).parent
    if not (folder / runs.RECORD).is_file():
        return None
    found = runs.read(folder.resolve())
    if not found.finished or found.record["files"][found.model_file]["sha256"] != parent:
        return None
    return compare([compared(found), compared(told)])
