"""What the user named as a source of examples: built in, a file, a folder; and what to say where it is none."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from image_classifier.data.examples import ColumnNames, Source
from image_classifier.data.pointers import kept_elsewhere
from image_classifier.data.sources import builtin, cifar, manifest, table
from image_classifier.data.sources.folder import folder_of_images
from image_classifier.data.sources.named_objects import NamedObjects
from image_classifier.errors import UserError
from image_classifier.settings.names import BUILT_IN_DATA, BUILT_IN_TABLES, DEFAULT_DATASET, NAMED_DATA


def recognised(
    dataset_folder: str, folder: Path, names: ColumnNames, *, quiet: bool, objects: NamedObjects | None = None
) -> Source:
    """The source of the examples in a built-in data set, a file or a folder; `folder` is the name as a path.

    `objects` are those in buckets that a manifest may name.
    """
    if dataset_folder in BUILT_IN_TABLES:
        return builtin.table(dataset_folder, names.drop_columns)
    if dataset_folder in BUILT_IN_DATA:
        return builtin.digits()
    if manifest.is_manifest(folder):
        return manifest.manifest_source(folder, names.target_column, names.group_column, objects)
    if table.is_table(folder):
        return table.table_source(folder, *names)
    if not folder.exists() and folder != Path(DEFAULT_DATASET):
        raise _not_found(dataset_folder, folder)
    if folder.exists() and not folder.is_dir():
        raise UserError(
            f"{dataset_folder} is a file, neither a folder nor a table",
            "a table ends in .csv or .parquet; unpack an archive first; images go into one folder per class",
        )
    if cifar.is_cifar(folder):
        return cifar.cifar_batches(folder, quiet=quiet)
    return folder_of_images(folder)


def _not_found(dataset_folder: str, folder: Path) -> UserError:
    if folder.name in table.PUBLISHED:
        return UserError(
            f"the table {dataset_folder} was not found: there is no file {folder.absolute()}",
            f"it is {table.PUBLISHED[folder.name]}: put {folder.name} into {folder.absolute().parent}",
        )
    elsewhere = kept_elsewhere(str(folder), str(folder.parent))
    if elsewhere:
        raise UserError(f"the data set {dataset_folder} is {elsewhere}", "fetch it, then run again")
    near = _nearest(dataset_folder, folder)
    suggestion = f"did you mean {near}? " if near else ""
    looked = "no built-in data set has that name, and " if os.sep not in dataset_folder else ""
    return UserError(
        f"the data set {dataset_folder} was not found: {looked}there is no folder {folder.absolute()}",
        f"{suggestion}give a built-in name ({', '.join(NAMED_DATA)}) or the path of a folder of class folders",
    )


def _nearest(name: str, folder: Path) -> str | None:
    """What is called nearly so: an address, a folder beside it, or a built-in data set."""
    if name.startswith("s3:/"):
        return f"s3://{name.removeprefix('s3:').lstrip('/')}"
    siblings = [entry.name for entry in folder.parent.iterdir() if entry.is_dir()] if folder.parent.is_dir() else []
    found = difflib.get_close_matches(folder.name, siblings if os.sep in name else [*NAMED_DATA, *siblings], n=1)
    if not found:
        return None
    return found[0] if found[0] in NAMED_DATA else str(folder.parent / found[0])


# The settings that say nothing about data of a kind: they were meant for other data.
_FOREIGN = {
    "table": ("image_size",),
    "manifest": ("drop_columns",),
    "database": ("drop_columns",),
    "images": ("target_column", "group_column", "drop_columns"),
}


def refuse_foreign(source: Source, name: str, given: Mapping[str, Any]) -> None:
    """Refuse a setting that says nothing about data of this kind."""
    kind = source.kind.split()[0]
    foreign = _FOREIGN.get(kind, _FOREIGN["images"])
    if name in BUILT_IN_TABLES:
        foreign += ("target_column", "group_column")
    found = [setting for setting in foreign if given[setting]]
    if found:
        what = {"table": "is a table", "manifest": "is a manifest of images"}.get(kind, "holds images")
        raise UserError(f"{found[0]} is set, but {name} {what}", f"leave {found[0]} out")
