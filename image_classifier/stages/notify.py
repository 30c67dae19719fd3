"""Notify: what a person wants to know of a finished run, on the console or as a Markdown file."""

import argparse

from image_classifier import files, runs
from image_classifier.composition import recipe_origin
from image_classifier.errors import UserError
from image_classifier.evaluation import summary
from image_classifier.evaluation.comparison import Comparison, compare
from image_classifier.evaluation.metrics import Predictions
from image_classifier.runs import Run
from image_classifier.stages.compare import compared


def run(arguments: argparse.Namespace) -> int:
    """Print the run's summary, or write it."""
    output = arguments.output
    if output and output.suffix != ".md":
        raise UserError(f"--output {output} does not end in .md", "the summary is Markdown")
    text = _summary(runs.find(arguments.run, arguments.experiments_folder))
    if output:
        files.write_text(output, text)
    else:
        print(text, end="")
    return 0


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
