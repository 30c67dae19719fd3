"""What a data set is, as far as that can be told at once: without decoding, downloading or preparing anything."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from image_classifier.data.pixels import header_size
from image_classifier.data.sources import builtin, cifar, database, manifest, table
from image_classifier.data.sources.folder import image_paths
from image_classifier.data.store import holds_a_table, is_store, stored_shape
from image_classifier.errors import UserError
from image_classifier.settings.database import AS_USUAL, Access
from image_classifier.settings.names import BUILT_IN_DATA, BUILT_IN_TABLES, DATABASE

Size = tuple[int, int]


@dataclass(frozen=True)
class Outline:
    """Rows or images, and the height and width that all images have.

    `size` is None for a table, for images of several sizes or larger than was asked about, and where nothing is known.
    """

    is_table: bool
    size: Size | None
    words: str  # for a sentence: "images of 8 × 8 pixels"


_TABLE = Outline(is_table=True, size=None, words="a table")
_UNKNOWN = Outline(is_table=False, size=None, words="images of an unknown size")


def outline(dataset_folder: str, most: int, access: Access = AS_USUAL) -> Outline:
    """What is there; a folder's images are looked at only until one is of another size or a side is above `most`.

    It never fails: what cannot be found or read is of unknown size, and the error comes from preparing it.
    """
    try:
        if dataset_folder == DATABASE:
            found: Outline = database.sizes(access, lambda sizes: _TABLE if sizes is None else _of_sizes(sizes, most))
            return found
        return _outline(dataset_folder, Path(dataset_folder).expanduser(), most)
    except (UserError, OSError, RuntimeError):  # RuntimeError: ~ of a user who has no home
        return _UNKNOWN


def _outline(name: str, folder: Path, most: int) -> Outline:
    if name in BUILT_IN_DATA:
        return _TABLE if name in BUILT_IN_TABLES else _of_size(builtin.DIGITS_SIZE)
    if is_store(folder):
        return _of_store(folder)
    if manifest.is_manifest(folder):
        return _of_images(manifest.image_paths(folder), most)
    if table.is_table(folder) or (folder.suffix.lower() in table.SUFFIXES and not folder.is_dir()):
        return _TABLE
    if cifar.is_cifar(folder):
        return _of_size((cifar.SIDE, cifar.SIDE))
    return _of_images(image_paths(folder), most)


def _of_size(size: Size) -> Outline:
    return Outline(is_table=False, size=size, words=f"images of {size[0]} × {size[1]} pixels")


def _of_store(folder: Path) -> Outline:
    if holds_a_table(folder):
        return _TABLE
    shape = stored_shape(folder)
    return _of_size(shape[:2]) if shape else _UNKNOWN


def _of_images(paths: Iterator[str], most: int) -> Outline:
    """By the files' headers; what is no image is left to preparing, which names it."""
    return _of_sizes(map(header_size, paths), most)


def _of_sizes(sizes: Iterable[Size | None], most: int) -> Outline:
    first: Size | None = None
    for size in sizes:
        if size is None:
            continue
        if max(size) > most:
            return Outline(is_table=False, size=None, words=f"images of more than {most} pixels")
        if first not in (None, size):
            return Outline(is_table=False, size=None, words="images of several sizes")
        first = size
    return _of_size(first) if first else _UNKNOWN
