"""Classify images with a run's model."""

import argparse
import csv
import io
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from image_classifier import files, runs, runtime
from image_classifier.arguments import add_run
from image_classifier.data.batches import Batches
from image_classifier.data.examples import ImageFile, Pixels, shown
from image_classifier.data.prefetching import prefetched
from image_classifier.data.reading import image_files, read_images
from image_classifier.data.sources import table
from image_classifier.data.store import Split
from image_classifier.data.tables import Column, Encoded, encoded
from image_classifier.errors import UserError
from image_classifier.model import inference
from image_classifier.runs import Run
from image_classifier.runtime import Runtime
from image_classifier.settings.families import family
from image_classifier.training import restoring

_PIECE_BYTES = 1 << 28  # of pixels; with a GPU two pieces are in memory
_AT_ONCE = 256  # images in a batch, where that many fit into memory
_FORMS = (".csv", ".jsonl")

Rows = Sequence[npt.NDArray[np.float32]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, what it is to classify, and where the answers are written."""
    add_run(parser)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="an image, or a folder of images")
    parser.add_argument("--output", type=Path, metavar="FILE", help="FILE.csv or FILE.jsonl (default: CSV on stdout)")
    parser.add_argument(
        "--batch_size", type=int, metavar="N", help="images at once (default: 256, fewer where they are large)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write one line per example, in the order given; nothing is written if one cannot be read."""
    output = arguments.output
    if output and output.suffix not in _FORMS:
        raise UserError(f"--output {output} ends neither in .csv nor in .jsonl", "choose one of the two")
    if arguments.batch_size is not None and arguments.batch_size < 1:
        raise UserError(f"--batch_size must be 1 or more, not {arguments.batch_size}", f"leave it out for {_AT_ONCE}")
    asked = runs.find(arguments.run, arguments.experiments_folder)
    if asked.columns is None:
        images = image_files(arguments.paths)
        paths = [shown(image.path) for image in images]
        shares = classify(asked, read_ahead(images, asked.card["input"]["shape"]), arguments.batch_size)
    else:
        pieces = [_rows_of(path, asked.columns) for path in arguments.paths]
        paths = [
            f"{shown(str(path))}:{row}"
            for path, piece in zip(arguments.paths, pieces, strict=True)
            for row in range(1, len(piece) + 1)
        ]
        shares = classify(asked, pieces, arguments.batch_size)
    write = _jsonl if output and output.suffix == ".jsonl" else _csv
    text = write(paths, shares, asked.classes)
    if output:
        files.write_text(output, text)
    else:
        sys.stdout.write(text)
    return 0


def classify(asked: Run, pieces: Iterable[Pixels | Encoded], batch_size: int | None = None) -> npt.NDArray[np.float32]:
    """The probabilities of every class (columns) for every example (rows)."""
    card = asked.card
    place = _place(asked)
    runtime.activate(place)
    model = restoring.model_of(asked, place.torch_device)
    if batch_size is None:
        batch_size = min(_AT_ONCE, inference.batch_size(model, tuple(card["input"]["shape"])))
    parts = []
    for pixels in pieces:
        split = Split(pixels, np.zeros(len(pixels), np.int64), None)
        batches = Batches(
            split, np.arange(len(pixels)), batch_size=batch_size, mean=card["input"]["mean"], std=card["input"]["std"],
            device=place.torch_device,
        )  # fmt: skip
        parts.append(inference.probabilities(model, batches.epoch(0), place, len(asked.classes))[1])
    return np.concatenate(parts)


def _place(asked: Run) -> Runtime:
    """Where this machine asks the run's model: at the run's precision, and scikit-learn's models on the CPU."""
    device = "auto" if family(asked.config.model).stepwise else "cpu"
    return runtime.resolve(device, asked.card["runtime"]["precision"], "auto")


def _rows_of(path: Path, columns: Sequence[Column]) -> Encoded:
    """A table's rows as the run reads them; further columns are left out."""
    if path.suffix.lower() not in table.SUFFIXES or not path.is_file():
        hint = f"this run classifies the rows of {' or '.join(table.SUFFIXES)} files"
        raise UserError(f"{shown(str(path))} is no table", hint)
    found = table.read(path)
    wanted = [column.name for column in columns if column.name in found.column_names]
    return encoded(table.columns(found, path, wanted), columns, str(path))


def read_ahead(images: Sequence[ImageFile], shape: tuple[int, int, int]) -> Iterator[npt.NDArray[np.uint8]]:
    """The images' pixels in pieces; while a GPU works on one, the next is read."""
    at_once = max(1, _PIECE_BYTES // math.prod(shape))
    pieces = [images[start : start + at_once] for start in range(0, len(images), at_once)]
    threads = 1 if runtime.has_gpu() else 0  # on a CPU, reading needs the cores that the network would use
    return prefetched(lambda piece: read_images(piece, shape), pieces, threads)


def _csv(paths: Sequence[str], shares: npt.NDArray[np.float32], classes: Sequence[str]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["path", "class", "probability", *(f"p_{name}" for name in classes)])
    for path, name, row in _rows(paths, shares, classes):
        writer.writerow([path, name, max(row), *row])
    return stream.getvalue()


def _jsonl(paths: Sequence[str], shares: npt.NDArray[np.float32], classes: Sequence[str]) -> str:
    lines = []
    for path, name, row in _rows(paths, shares, classes):
        value = {
            "path": path,
            "class": name,
            "probability": max(row),
            "probabilities": dict(zip(classes, row, strict=True)),
        }
        lines.append(json.dumps(value, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def _rows(
    paths: Sequence[str], shares: npt.NDArray[np.float32], classes: Sequence[str]
) -> Iterator[tuple[str, str, list[float]]]:
    """Seven digits hold all that a float32 knows."""
    for path, best, row in zip(paths, shares.argmax(1).tolist(), shares.tolist(), strict=True):
        yield path, classes[best], [float(f"{share:.7g}") for share in row]
