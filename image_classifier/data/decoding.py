"""Many image files into rows of a stored array, and the worker process that does it.

A worker reads one JSON line per chunk of files on stdin and answers with one on stdout. It ends when stdin
does, so that a parent killed at any moment leaves none behind.
"""

import json
import sys
import warnings
from typing import Any, TypedDict

import numpy as np
from PIL import Image, UnidentifiedImageError

from image_classifier.data.pixels import FORMATS, MAX_PIXELS, fitted, pixels_of, read_rgb

NATIVE = 0


class Chunk(TypedDict):
    """Files for neighbouring rows of one array."""

    array: str
    row: int
    paths: list[str]
    size: int  # NATIVE: every image must already have the array's height and width


class Reply(TypedDict):
    """How many files were read, which failed and why, and the first one of another size, if that matters."""

    count: int
    failures: list[tuple[str, str]]
    mismatch: str | None


def decode(chunk: Chunk) -> Reply:
    """Fill the chunk's rows; a file that cannot be used is reported, never raised."""
    # A plain view: each access through numpy's memmap class costs some microseconds.
    rows = np.asarray(np.lib.format.open_memmap(chunk["array"], mode="r+"))
    reply: Reply = {"count": len(chunk["paths"]), "failures": [], "mismatch": None}
    with warnings.catch_warnings():
        # Pillow warns of damaged metadata; whether the pixels are whole is what counts here.
        warnings.simplefilter("ignore")
        for row, path in enumerate(chunk["paths"], chunk["row"]):
            try:
                image = read_rgb(path)
            except Exception as error:  # noqa: BLE001 (a decoder fed with arbitrary bytes may raise anything)
                reply["failures"].append((path, _reason(error)))
                continue
            if chunk["size"] != NATIVE:
                rows[row] = fitted(image, chunk["size"])
            elif (image.height, image.width) == rows.shape[1:3]:
                rows[row] = pixels_of(image)
            else:
                reply["mismatch"] = path
                break
    return reply


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"not a readable image in one of the formats {', '.join(FORMATS)}"
    if isinstance(error, Image.DecompressionBombError):
        return f"more pixels than the limit of {MAX_PIXELS}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def work() -> None:
    """Answer chunks until stdin ends."""
    for line in sys.stdin:
        chunk: Any = json.loads(line)
        print(json.dumps(decode(chunk)), flush=True)  # noqa: T201 (stdout is the answer)


if __name__ == "__main__":
    work()
