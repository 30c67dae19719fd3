"""Images and rows that nobody has labelled, and what a finished run's model says of them."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from image_classifier import runtime
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
from image_classifier.settings.inputs import PLAIN, Fitting
from image_classifier.training.trained import model_of, runtime_to_predict

AT_ONCE = 256  # images in a batch, where that many fit into memory
_PIECE_BYTES = 1 << 28  # of pixels; with a GPU two pieces are in memory

Shares = npt.NDArray[np.float32]


def predictions(run: Run, paths: Sequence[Path], batch_size: int | None) -> tuple[list[str], Shares]:
    """The name of every example in the paths, in their order, and the probabilities of its classes."""
    if run.columns is None:
        images = image_files(paths)
        shares = classify(run, read_ahead(images, run.card["input"]["shape"], run.fitting), batch_size)
        return [shown(image.path) for image in images], shares
    pieces = [_rows_of(path, run.columns) for path in paths]
    counted = [(shown(str(path)), len(rows)) for path, rows in zip(paths, pieces, strict=True)]
    names = [f"{name}:{row}" for name, count in counted for row in range(1, count + 1)]
    return names, classify(run, pieces, batch_size)


def classify(run: Run, pieces: Iterable[Pixels | Encoded], batch_size: int | None = None) -> Shares:
    """The probabilities of every class (columns) for every example (rows)."""
    described = run.card["input"]
    chosen = runtime_to_predict(run)
    runtime.activate(chosen)
    model = model_of(run, chosen.torch_device)
    if batch_size is None:
        batch_size = min(AT_ONCE, inference.batch_size(model, tuple(described["shape"])))
    parts = []
    for inputs in pieces:
        split = Split(inputs, np.zeros(len(inputs), np.int64), None)
        batches = Batches(
            split, np.arange(len(inputs)), batch_size=batch_size, mean=described["mean"], std=described["std"],
            device=chosen.torch_device,
        )  # fmt: skip
        parts.append(inference.probabilities(model, batches.epoch(0), chosen, len(run.classes))[1])
    return np.concatenate(parts)


def read_ahead(images: Sequence[ImageFile], shape: tuple[int, int, int], fitting: Fitting = PLAIN) -> Iterator[Pixels]:
    """The images' pixels in pieces; while a GPU works on one, the next is read."""
    at_once = max(1, _PIECE_BYTES // math.prod(shape))
    pieces = [images[start : start + at_once] for start in range(0, len(images), at_once)]
    threads = 1 if runtime.has_gpu() else 0  # on a CPU, reading needs the cores that the network would use
    return prefetched(lambda piece: read_images(piece, shape, fitting), pieces, threads)


def _rows_of(path: Path, columns: Sequence[Column]) -> Encoded:
    """A table's rows as the run reads them; further columns are left out."""
    if not table.is_table(path):
        hint = f"this run classifies the rows of {' or '.join(table.SUFFIXES)} files, or of a folder of Parquet files"
        raise UserError(f"{shown(str(path))} is no table", hint)
    found = table.read(path)
    wanted = [column.name for column in columns if column.name in found.column_names]
    return encoded(table.columns(found, path, wanted), columns, str(path))
