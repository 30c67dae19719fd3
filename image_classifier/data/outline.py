"""What a data set is, as far as that can be told at once: without decoding, downloading or preparing anything."""

import itertools
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from image_classifier.data.pixels import header_size
from image_classifier.data.sources import builtin, cifar, database, manifest, table
from image_classifier.data.sources.contents import Contents, look
from image_classifier.data.sources.folder import image_paths
from image_classifier.data.sources.named_objects import sizes_at
from image_classifier.data.store import is_store, read_index, shape_in
from image_classifier.errors import UserError
from image_classifier.settings.addresses import is_address
from image_classifier.settings.database import AS_USUAL, Access
from image_classifier.settings.names import BUILT_IN_DATA, BUILT_IN_TABLES, DATABASE

Size = tuple[int, int]
_FIRST_LOOK = 20  # images in a bucket


@dataclass(frozen=True)
class Outline:
    """Rows or images, and the height and width that all images have.

    `size` is None for a table, for images of several sizes or larger than was asked about, and where nothing is known.
    """

    is_table: bool
    size: Size | None
    words: str  # for a sentence: "images of 8 × 8 pixels"
    by_manifest: bool = field(default=False, compare=False)  # a table says what the images are
    is_store: bool = field(default=False, compare=False)  # prepared already, at one size


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
        if is_address(dataset_folder):
            return _of_contents(look(dataset_folder, again_soon=True), most)
        return _outline(dataset_folder, Path(dataset_folder).expanduser(), most)
    except (UserError, OSError, RuntimeError):  # RuntimeError: ~ of a user who has no home
        return _UNKNOWN


def _outline(name: str, folder: Path, most: int) -> Outline:
    if name in BUILT_IN_DATA:
        return _TABLE if name in BUILT_IN_TABLES else _of_size(builtin.DIGITS_SIZE)
    if is_store(folder):
        return replace(_of_index(read_index(folder)), is_store=True)
    if manifest.is_manifest(folder):
        return _of_manifest(folder, most)
    if table.is_table(folder) or (folder.suffix.lower() in table.SUFFIXES and not folder.is_dir()):
        return _TABLE
    if cifar.is_cifar(folder):
        return _of_size((cifar.SIDE, cifar.SIDE))
    return _of_images(image_paths(folder), most)


def _of_contents(there: Contents, most: int) -> Outline:
    """By as little of what lies in a bucket as tells it."""
    if there.is_store:
        return replace(_of_index(there.index()), is_store=True)
    if there.is_file:
        return _of_object(there, most)
    if there.is_table:
        return _TABLE
    if there.is_cifar:
        return _of_size((cifar.SIDE, cifar.SIDE))
    return _of_sizes(sizes_at(map(str, there.first_files(_FIRST_LOOK))), most)


def _of_object(there: Contents, most: int) -> Outline:
    suffix = posixpath.splitext(there.address.path)[1]
    with there.opened() as stream:
        if manifest.IMAGE not in table.header_of(stream, suffix):
            return _TABLE
    with there.opened() as stream:
        names = manifest.image_names(stream, suffix)
        places = (name if is_address(name) else str(there.address.folder.below(name)) for name in names)
        return replace(_of_sizes(sizes_at(itertools.islice(places, _FIRST_LOOK)), most), by_manifest=True)


def _of_manifest(path: Path, most: int) -> Outline:
    with path.open("rb") as stream:
        names = manifest.image_names(stream, path.suffix)
        places = (name if is_address(name) else f"{path.parent}/{name}" for name in names)
        first = itertools.count(1)
        some = (place for place in places if not is_address(place) or next(first) <= _FIRST_LOOK)
        return replace(_of_sizes(sizes_at(some), most), by_manifest=True)


def _of_size(size: Size) -> Outline:
    return Outline(is_table=False, size=size, words=f"images of {size[0]} × {size[1]} pixels")


def _of_index(index: Any) -> Outline:
    if isinstance(index, dict) and index.get("columns") is not None:
        return _TABLE
    shape = shape_in(index)
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
