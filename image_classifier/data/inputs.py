"""The images of a store, written row by row into arrays on disk."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from image_classifier import files
from image_classifier.data.decoding import Chunk
from image_classifier.data.examples import Examples, ImageFile, Pixels, shown
from image_classifier.data.pixels import fitted, read_rgb
from image_classifier.data.pointers import pointer
from image_classifier.data.progress import Progress
from image_classifier.data.store import array_name
from image_classifier.data.tables import Column, Table, encoded
from image_classifier.data.workers import decoded
from image_classifier.errors import UserError
from image_classifier.settings.inputs import PLAIN, Fitting

Shape = tuple[int, int, int]
FALLBACK_SIZE = 64
_CHUNK_FILES = 256
_CHUNK_BYTES = 4_000_000
_FIRST_LOOK = 20
_ROWS_AT_ONCE = 10_000
_NO_FAULTS = "replace these images, or remove their rows, and run again"
_NO_STRAYS = "replace or remove these files and run again; a class folder may hold nothing but images"


class UnusableFilesError(UserError):
    """Files that are no images, or none with one meaning: each with its reason."""

    def __init__(self, what: str, hint: str, failures: list[tuple[str, str]], total: int) -> None:
        super().__init__(what, hint)
        self.failures = failures
        self.total = total


def write_rows(folder: Path, examples: dict[str, Examples], columns: Sequence[Column], where: str) -> Shape:
    """Write every split's rows of a table as numbers; the shape (1, 1, numbers) that they got."""
    shape = (1, 1, sum(len(column.numbers) for column in columns))
    for name, split in examples.items():
        table = cast("Table", split.images)
        array = new_array(folder / array_name(name, "inputs"), (len(table), *shape), np.float32)
        for start in range(0, len(table), _ROWS_AT_ONCE):
            some = np.arange(start, min(start + _ROWS_AT_ONCE, len(table)))
            array[some] = encoded(table.take(some), columns, where)
    return shape


def write_inputs(
    folder: Path, examples: dict[str, Examples], image_size: int | None, fitting: Fitting = PLAIN, *, quiet: bool
) -> Shape:
    """Write every split's images at one size; the shape (H, W, C) that they got."""
    if all(isinstance(split.images, np.ndarray) for split in examples.values()):
        return _write_pixels(
            folder, {name: cast("Pixels", split.images) for name, split in examples.items()}, image_size, fitting
        )
    images = {name: cast("Sequence[ImageFile]", split.images) for name, split in examples.items()}
    if image_size is None and (native := _first_size(images)):
        if write_files(folder, images, native, native=True, quiet=quiet):
            return native
        for name in images:
            files.remove(folder / array_name(name, "inputs"))
    size = image_size or FALLBACK_SIZE
    write_files(folder, images, (size, size, 3), native=False, fitting=fitting, quiet=quiet)
    return (size, size, 3)


def new_array(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.memmap:
    """A new `.npy` file, mapped for writing."""
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    with files.create(path) as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        # On a full disk this is an error with a name; a write into a mapped hole would be a SIGBUS.
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        start = stream.tell()
        os.posix_fallocate(stream.fileno(), start, size)
    return np.memmap(path, dtype, "r+", start, shape)


def _write_pixels(folder: Path, images: dict[str, Pixels], image_size: int | None, fitting: Fitting) -> Shape:
    height, width, channels = next(iter(images.values())).shape[1:]
    if image_size is not None:
        height = width = image_size
    for name, pixels in images.items():
        array = new_array(folder / array_name(name, "inputs"), (len(pixels), height, width, channels), np.uint8)
        if image_size is None or (pixels.shape[1:3] == (height, width) and fitting.crop == 1):
            array[:] = pixels
        else:
            for row, image in enumerate(pixels):
                picture = Image.fromarray(image.squeeze(-1) if channels == 1 else image)
                array[row] = np.asarray(fitted(picture, height, fitting)).reshape(height, width, channels)
    return (height, width, channels)


def _first_size(images: dict[str, Sequence[ImageFile]]) -> Shape | None:
    """The shape of the first file that can be read; every other image is then held against it."""
    for file in [file for split in images.values() for file in split][:_FIRST_LOOK]:
        try:
            image = read_rgb(file.path, file.span)
        except Exception:  # noqa: BLE001, S112 (whatever is wrong with it is reported with all the others)
            continue
        return (image.height, image.width, 3)
    return None


def write_files(
    folder: Path,
    images: dict[str, Sequence[ImageFile]],
    shape: Shape,
    *,
    native: bool,
    quiet: bool,
    fitting: Fitting = PLAIN,
    hint: str = _NO_STRAYS,
) -> bool:
    """Decode all files into new arrays; False as soon as one that should be `native` is of another size.

    Where they need not be, their heights and widths are written too.
    """
    arrays, sizes, of = [], {}, {}
    for name, split in images.items():
        array = new_array(folder / array_name(name, "inputs"), (len(split), *shape), np.uint8)
        arrays.append((array, split))
        of[str(array.filename)] = split
        if not native:
            sizes[str(array.filename)] = new_array(folder / array_name(name, "sizes"), (len(split), 2), np.int32)
    chunks = (chunk for array, split in arrays for chunk in _chunks(array, split, fitting, native=native))
    total_bytes = sum(file.bytes for split in images.values() for file in split)
    total = sum(map(len, images.values()))
    failures: list[tuple[ImageFile, str]] = []
    with Progress("preparing", "images", total, quiet=quiet) as progress:
        for reply in decoded(chunks, total_bytes):
            if reply["mismatch"] is not None:
                return False
            files_read = of[reply["array"]][reply["first"] : reply["first"] + reply["count"]]
            failures += ((files_read[place], reason) for place, reason in reply["failures"])
            if not native:
                sizes[reply["array"]][reply["first"] : reply["first"] + reply["count"]] = reply["sizes"]
            progress.add(reply["count"])
    if failures:
        told = [(file.called, _pointer(file) or reason) for file, reason in failures]
        named = any(file.name is not None for file, _ in failures)
        raise _unusable(told, total, _NO_FAULTS if named and hint == _NO_STRAYS else hint)
    return True


def _pointer(file: ImageFile) -> str | None:
    return pointer(file.path) if file.start is None else pointer(file.path, file.bytes, file.start)


def _chunks(array: np.memmap, images: Sequence[ImageFile], fitting: Fitting, *, native: bool) -> Iterator[Chunk]:
    """The rows of an array as work, one after the other: there may be millions."""
    height, width, _ = array.shape[1:]
    for first, part in _parts(images):
        yield {
            "array": str(array.filename), "start": array.offset + first * array.strides[0], "first": first,
            "height": height, "width": width, "images": list(part), "native": native,
            "interpolation": fitting.interpolation, "crop": fitting.crop,
        }  # fmt: skip


def _parts(images: Sequence[ImageFile]) -> Iterator[tuple[int, Sequence[ImageFile]]]:
    """Pieces small enough that a worker whose parent has gone ends soon, and that the last one is not waited for."""
    start, pending = 0, 0
    for position, file in enumerate(images):
        if position > start and (position - start == _CHUNK_FILES or pending + file.bytes > _CHUNK_BYTES):
            yield start, images[start:position]
            start, pending = position, 0
        pending += file.bytes
    yield start, images[start:]


def _unusable(failures: list[tuple[str, str]], total: int, hint: str) -> UnusableFilesError:
    lines = [f"\n  {shown(path)}: {shown(reason)}" for path, reason in sorted(failures)]
    return UnusableFilesError(
        f"{len(failures)} of {total} files cannot be used:{''.join(lines)}", hint, failures, total
    )
