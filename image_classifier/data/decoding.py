"""Many image files into rows of a stored array, and the worker process that does it.

A worker reads one JSON line per chunk of files on stdin and answers with one on stdout. It ends when stdin
does, so that a parent killed at any moment leaves none behind. numpy, which takes longer to import than all the rest
of it, stays with the parent.
"""

import json
import sys
import warnings
from typing import TYPE_CHECKING, Any, TypedDict

from PIL import Image, UnidentifiedImageError

from image_classifier.data.pixels import FORMATS, MAX_PIXELS, fitted, read_rgb
from image_classifier.settings.inputs import Fitting

if TYPE_CHECKING:
    from image_classifier.data.examples import ImageFile  # a module with numpy

# Small images are pasted below one another and copied out together: 20 µs an image less than one by one.
_SHEET_PIXELS = 1 << 18


class Chunk(TypedDict):
    """Images for neighbouring rows of one array of images with three channels."""

    array: str
    start: int  # the byte where the first row begins
    first: int  # that row's number
    height: int
    width: int
    images: "list[ImageFile]"
    native: bool  # every image must already have this height and width
    interpolation: str  # else it is fitted with this filter,
    crop: float  # and this share of its shorter side is kept


class Decoded(TypedDict):
    """How many files were read, of what size, which failed and why, and the first of another size, if that matters.

    They are told by their place in the chunk: several may be parts of one file.
    """

    array: str
    first: int
    count: int
    failures: list[tuple[int, str]]
    mismatch: int | None
    sizes: list[tuple[int, int]]  # height and width of each file's upright image; (0, 0) where it failed


def decode(chunk: Chunk) -> Decoded:
    """Fill the chunk's rows; a file that cannot be used is reported, never raised."""
    height, width = chunk["height"], chunk["width"]
    count = len(chunk["images"])
    at_once = min(count, max(1, _SHEET_PIXELS // (height * width)))
    fitting = Fitting(chunk["interpolation"], chunk["crop"])
    decoded: Decoded = {
        "array": chunk["array"], "first": chunk["first"], "count": count,
        "failures": [], "mismatch": None, "sizes": [],
    }  # fmt: skip
    with warnings.catch_warnings(), open(chunk["array"], "r+b") as array:  # noqa: PTH123 (a str came)
        # Pillow warns of damaged metadata; whether the pixels are whole is what counts here.
        warnings.simplefilter("ignore")
        array.seek(chunk["start"])
        for first in range(0, count, at_once):
            images = chunk["images"][first : first + at_once]
            sheet = Image.new("RGB", (width, height * len(images)))
            for position, (path, size, _, start) in enumerate(images):
                try:
                    image = read_rgb(path, None if start is None else (start, size))
                except Exception as error:  # noqa: BLE001 (a decoder fed with arbitrary bytes may raise anything)
                    decoded["failures"].append((first + position, _reason(error) if size else "empty: it has no bytes"))
                    decoded["sizes"].append((0, 0))
                    continue
                decoded["sizes"].append((image.height, image.width))
                if not chunk["native"]:
                    image = fitted(image, width, fitting)
                elif image.size != (width, height):
                    return decoded | {"mismatch": first + position}
                sheet.paste(image, (0, height * position))
            array.write(sheet.tobytes())
    return decoded


def _reason(error: Exception) -> str:
    if isinstance(error, (UnidentifiedImageError, SyntaxError)):
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
