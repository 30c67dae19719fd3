"""A folder of class folders, or train/, test/ (and val/) of class folders."""

import logging
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from image_classifier.data.examples import Examples, ImageFile, Source, Stat, checked_class_names, shown
from image_classifier.data.pixels import header_size
from image_classifier.data.pointers import pointer
from image_classifier.data.sources.split_names import SPLITS, misspelt, nearly
from image_classifier.errors import UserError

_FIRST_LOOK = 20  # files that are opened to see whether there are images among them
_LITTER = {"Thumbs.db", "desktop.ini", "__MACOSX"}
_logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """A file in a class folder: of a million, what `os.stat` gives would take most of the memory."""

    path: str
    bytes: int
    modified: int
    changed: int


class Listing(NamedTuple):
    """What a user sees in one folder, in order."""

    folders: list[os.DirEntry[str]]
    files: list[os.DirEntry[str]]


def folder_of_images(folder: Path) -> Source:
    """The data set in `folder`, listed but not yet decoded."""
    roots = _split_roots(folder)
    found = {split: _class_files(root) for split, root in roots.items()}
    classes = checked_class_names(list(found["train"]), str(roots["train"]))
    _check_classes(found, roots)
    stats: list[Stat] = []
    examples = {}
    start = len(os.path.join(folder, ""))  # noqa: PTH118 (where the path inside the data set begins)
    for split, per_class in found.items():
        everything = [file for files in per_class.values() for file in files]
        of_split = [(file.path[start:], file.bytes, file.modified, file.changed) for file in everything]
        stats += of_split
        examples[split] = Examples(
            np.repeat(np.arange(len(classes)), [len(files) for files in per_class.values()]).astype(np.int64),
            [ImageFile(file.path, file.bytes) for file in everything],
            tuple(shown(name) for name, *_ in of_split),
        )
    draws = "test" not in examples
    return Source("folder", tuple(stats), draws_test=draws, load=lambda: (classes, examples), root=str(folder))


def image_paths(folder: Path) -> Iterator[str]:
    """The files that should be images, one class after the other; nothing is opened."""
    for root in _split_roots(folder).values():
        for per_class in _listing(str(root)).folders:
            yield from (file.path for file in _files_below(per_class.path, (_identity(str(root)),)))


def _split_roots(folder: Path) -> dict[str, Path]:
    """The folders that hold the class folders, per split."""
    names = [entry.name for entry in _listing(str(folder)).folders]
    named = [name for name in SPLITS if name in names]
    others = [name for name in names if name not in SPLITS]
    if not named or (others and named == ["train"] and _listing(str(folder / "train")).files):
        # A folder `train` with images in it, beside other class folders, is the class of trains.
        _refuse_misspelt(folder, names)
        return {"train": folder}
    if others:
        raise UserError(
            f"{folder} has {_joined(named)} beside other folders: {_joined(others)}",
            "a data set is either class folders, or train, test and val (spelled so) that hold the class folders",
        )
    if "train" not in named:
        raise UserError(
            f"{folder} has {_joined(named)}, but no folder train", "put the class folders to learn from into train/"
        )
    return {name: folder / name for name in named}


def _refuse_misspelt(folder: Path, names: list[str]) -> None:
    """Refuse folders of class folders that are named nearly like splits: they would be read as classes."""
    inside = {name: _listing(str(folder / name)) for name in names if nearly(name)}
    holding = {name: [entry.name for entry in here.folders] for name, here in inside.items() if _only_folders(here)}
    found = misspelt(names, holding)
    if not found:
        return
    renamed = ", ".join(f"{shown(name)} to {split}" for name, split in found.items() if name != split)
    raise UserError(
        f"{folder} has {_joined(found)}: it looks like a split, and would be read as a class"
        if len(found) == 1
        else f"{folder} has {_joined(found)}: they look like splits, and would be read as classes",
        f"splits are spelled train, test and val: rename {renamed}; or put images, not folders, into a class folder",
    )


def _only_folders(here: Listing) -> bool:
    """Whether there are folders and no images beside them; a table or a note may lie there."""
    return bool(here.folders) and not any(header_size(entry.path) for entry in here.files[:_FIRST_LOOK])


def _joined(names: Iterable[str]) -> str:
    return ", ".join(shown(name) for name in names)


def _class_files(root: Path) -> dict[str, list[Found]]:
    """The files of each class folder under `root`, classes by name."""
    here = _listing(str(root))
    if not here.folders:
        stands_for = next(filter(None, (pointer(entry.path) for entry in here.files[:_FIRST_LOOK])), None)
        if stands_for:
            raise UserError(f"{root} holds no images yet: {shown(here.files[0].name)} is {stands_for}", "fetch them")
        raise UserError(
            f"{root} holds {len(here.files)} files and no class folders" if here.files else f"{root} is empty",
            "make one folder per class and put that class's images into it",
        )
    if here.files:
        _logger.info("%d files beside the class folders in %s are not used", len(here.files), root)
    above = (_identity(str(root)),)
    return {entry.name: _files_below(entry.path, above) for entry in here.folders}


def _check_classes(found: dict[str, dict[str, list[Found]]], roots: dict[str, Path]) -> None:
    train = {_sort_key(name) for name in found["train"]}
    for split, per_class in found.items():
        names = {_sort_key(name) for name in per_class}
        if names != train:
            raise UserError(
                f"{roots['train']} and {roots[split]} have different class folders: {_difference(train, names, split)}",
                "every class needs a folder of the same name in each of them; in test and val it may be empty",
            )
        if not any(per_class.values()):
            raise UserError(f"the class folders in {roots[split]} hold no images", "put images into them")
    if len(train) < 2:
        raise UserError(
            f"{roots['train']} has only one class folder: {_joined(found['train'])}",
            "a classifier needs at least two classes",
        )
    empty = [name for name, files in found["train"].items() if not files]
    if empty:
        raise UserError(
            f"class folders without images in {roots['train']}: {_joined(empty)}", "add images or remove the folders"
        )


def _difference(train: set[str], other: set[str], split: str) -> str:
    parts = [f"only in train: {_joined(sorted(train - other))}"] if train - other else []
    parts += [f"only in {split}: {_joined(sorted(other - train))}"] if other - train else []
    return "; ".join(parts)


def _files_below(folder: str, above: tuple[tuple[int, int], ...]) -> list[Found]:
    """All files in `folder` and its sub-folders. Links are followed, unless they lead back up."""
    identity = _identity(folder)
    if identity in above:
        raise UserError(f"{shown(folder)} is a link to a folder that holds it", "remove the link")
    here = _listing(folder)
    found = [_regular(entry) for entry in here.files]
    for entry in here.folders:
        found += _files_below(entry.path, (*above, identity))
    return found


def _regular(entry: os.DirEntry[str]) -> Found:
    """A regular file as the file system shows it; anything else is refused before it is opened and could block."""
    try:
        status = entry.stat()
    except OSError as error:
        raise UserError(f"{shown(entry.path)} cannot be read: {error.strerror}", "replace or remove it") from error
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{shown(entry.path)} is not a regular file", "a class folder may hold only images: remove it")
    return Found(entry.path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)  # noqa: PTH116 (paths are plain text here: there may be a million)
    return status.st_dev, status.st_ino


def _listing(folder: str) -> Listing:
    """The folder's entries without hidden files and the litter of desktops."""
    try:
        with os.scandir(folder) as entries:
            visible = sorted((e for e in entries if not ignored(e.name)), key=lambda entry: _sort_key(entry.name))
    except OSError as error:
        raise UserError(f"{shown(folder)} cannot be read: {error.strerror}", "make the folder readable") from error
    folders: list[os.DirEntry[str]] = []
    others: list[os.DirEntry[str]] = []
    for entry in visible:
        (folders if _is_folder(entry) else others).append(entry)
    return Listing(folders, others)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link to itself: refused with its reason when it is looked at as a file.
        return False


def ignored(name: str) -> bool:
    """Whether a name is hidden, or what a desktop leaves in every folder."""
    return name.startswith(".") or name in _LITTER


def _sort_key(name: str) -> str:
    # The same order whether the file system stores accents composed or not.
    return unicodedata.normalize("NFC", name)
