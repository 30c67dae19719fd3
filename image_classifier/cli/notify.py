"""Say what a run or a sweep is worth, in Markdown, and tell a webhook."""

import argparse
import logging
import os
from pathlib import Path
from typing import Any

from image_classifier import files, runs, webhook
from image_classifier.arguments import add_run
from image_classifier.cli.compare import compared
from image_classifier.errors import UserError
from image_classifier.evaluation import summary
from image_classifier.evaluation.comparison import Comparison, compare
from image_classifier.evaluation.metrics import Predictions
from image_classifier.runs import Run
from image_classifier.settings.names import DATA_CARD
from image_classifier.sweep import record as sweep_record
from image_classifier.sweep import summary as sweep_summary
from image_classifier.sweep.record import Sweep

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run or the sweep, and where the summary is written."""
    add_run(parser, "a run's or a sweep's folder, E/R for a run or E for a sweep under the experiments folder")
    parser.add_argument("--output", type=Path, metavar="FILE.md", help="default: on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Print the summary or write it, then tell the webhook; that it cannot be reached is only a warning."""
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
    trained = runs.find(arguments.run, arguments.experiments_folder)
    metrics, found = trained.metrics(), trained.error_sets()
    return {
        "text": _summary(trained),
        "kind": "run",
        "name": trained.name,
        "accuracy": metrics["accuracy"],
        "accuracy_ci95": metrics["accuracy_ci95"],
        "validation_accuracy": metrics["val"]["accuracy"] if metrics["val"] else None,
        "nb_freq_sets": found["nb_freq_sets"] if found else None,
    }


def _of_sweep(swept: Sweep) -> dict[str, Any]:
    results, best = swept.results, swept.best
    return {
        "text": sweep_summary.markdown(results),
        "kind": "sweep",
        "name": swept.name,
        "finished": len(results.scored),
        "failed": len(results.failed),
        "best": f"{swept.name}/{best.name}" if best else None,
        "accuracy": best.test if best else None,
        "validation_accuracy": best.validation if best else None,
    }


def _summary(trained: Run) -> str:
    arrays = trained.predictions()
    test = Predictions(arrays["test_labels"], arrays["test_probabilities"])
    return summary.markdown(
        summary.Summarised(
            trained.name,
            trained.metrics(),
            test,
            _facts(trained),
            _asked(trained),
            _against_parent(trained),
            trained.error_sets(),
        )
    )


def _facts(trained: Run) -> dict[str, str]:
    card, provenance = trained.card, trained.record["provenance"]
    runtime, data = card["runtime"], trained.record["dataset_folder"]
    computed = (runtime["device"], runtime["precision"], f"{runtime['num_threads']} threads", runtime["capability"])
    commit = provenance["commit"] or "unknown"
    facts = {
        "model": str(trained.config.model),
        "data": f"{data}, {len(trained.classes)} classes, digest {card['dataset_digest'][:12]}",
        "commit": commit + (" with changes" if provenance["dirty"] else ""),
        "image": provenance["image_digest"] or "not in a container",
        "computed on": ", ".join(computed),
        "training": f"{trained.record['timing']['training_seconds']:.1f} s, {len(trained.history())} epochs",
        trained.model_file: f"sha256 {trained.record['files'][trained.model_file]['sha256']}",
    }
    if DATA_CARD in trained.record["files"]:
        facts["what the data are like"] = DATA_CARD
    if card["parent_sha256"]:
        facts["parent"] = f"{trained.config.pretrained_model}, sha256 {card['parent_sha256']}"
    return facts


def _asked(trained: Run) -> dict[str, str]:
    """The settings that somebody chose, in a file, by a flag or in Python."""
    config = trained.record["config"]
    return {name: f"{config[name]} ({origin})" for name, origin in trained.origins.items() if origin.chosen}


def _against_parent(trained: Run) -> Comparison | None:
    """The comparison with the run whose model this one started from, if that run is still what it was."""
    parent = trained.card["parent_sha256"]
    if parent is None:
        return None
    folder = (trained.folder.parent.parent / str(trained.config.pretrained_model)).parent
    if not (folder / runs.RECORD).is_file():
        return None
    found = runs.read(folder.resolve())
    if not found.finished or found.record["files"][found.model_file]["sha256"] != parent:
        return None
    return compare([compared(found), compared(trained)])
