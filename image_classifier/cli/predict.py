"""Classify images with a run's model."""

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from image_classifier import files, runs, signals
from image_classifier.arguments import add_run
from image_classifier.errors import UserError

_FORMS = (".csv", ".jsonl")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, what it is to classify, and where the answers are written."""
    add_run(parser)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="an image, or a folder of images")
    parser.add_argument("--output", type=Path, metavar="FILE", help="FILE.csv or FILE.jsonl (default: CSV on stdout)")
    text = "images at once (default: 256, fewer where they are large)"
    parser.add_argument("--batch_size", type=int, metavar="N", help=text)


def run(arguments: argparse.Namespace) -> int:
    """Write one line per example, in the order given; nothing is written if one cannot be read."""
    output, batch_size = arguments.output, arguments.batch_size
    if output and output.suffix not in _FORMS:
        raise UserError(f"--output {output} ends neither in .csv nor in .jsonl", "choose one of the two")
    if batch_size is not None and batch_size < 1:
        raise UserError(f"--batch_size must be 1 or more, not {batch_size}", "leave it out for the usual size")
    asked = runs.find(arguments.run, arguments.experiments_folder)
    with signals.postponed():
        from image_classifier.training.classifying import predictions

    names, shares = predictions(asked, arguments.paths, batch_size)
    write = _jsonl if output and output.suffix == ".jsonl" else _csv
    text = write(names, shares, asked.classes)
    if output:
        files.write_text(output, text)
    else:
        sys.stdout.write(text)
    return 0


def _csv(names: Sequence[str], shares: Any, classes: Sequence[str]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["path", "class", "probability", *(f"p_{name}" for name in classes)])
    for path, name, row in _rows(names, shares, classes):
        writer.writerow([path, name, max(row), *row])
    return stream.getvalue()


def _jsonl(names: Sequence[str], shares: Any, classes: Sequence[str]) -> str:
    lines = []
    for path, name, row in _rows(names, shares, classes):
        value = {
            "path": path,
            "class": name,
            "probability": max(row),
            "probabilities": dict(zip(classes, row, strict=True)),
        }
        lines.append(json.dumps(value, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def _rows(names: Sequence[str], shares: Any, classes: Sequence[str]) -> Iterator[tuple[str, str, list[float]]]:
    """Seven digits hold all that a float32 knows."""
    for path, best, row in zip(names, shares.argmax(1).tolist(), shares.tolist(), strict=True):
        yield path, classes[best], [float(f"{share:.7g}") for share in row]
