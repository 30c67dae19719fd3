"""From what the user named to an open store: recognised, looked up, made only if it is not there."""

import contextlib
import difflib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from image_classifier import files
from image_classifier.data import leaks
from image_classifier.data.drawing import refuse_divided_groups, with_drawn_test
from image_classifier.data.examples import Source
from image_classifier.data.pointers import kept_elsewhere
from image_classifier.data.sources import builtin, cifar, database, manifest, table
from image_classifier.data.sources.folder import folder_of_images
from image_classifier.data.store import FORMAT, DamagedStoreError, Store, is_store, open_store
from image_classifier.data.tables import Column, as_json
from image_classifier.data.writing import write_store
from image_classifier.errors import UserError
from image_classifier.settings.database import AS_USUAL, Access
from image_classifier.settings.names import BUILT_IN_DATA, BUILT_IN_TABLES, DATABASE, DEFAULT_DATASET, NAMED_DATA

_STALE_SECONDS = 3600
_SPOOL = "0" * 64  # named like a store in the making, so that it is cleared as one
_logger = logging.getLogger(__name__)


def prepare(
    dataset_folder: str,
    *,
    image_size: int | None,
    split_seed: int,
    cache_folder: Path,
    output: Path | None = None,
    quiet: bool = False,
    target_column: str | None = None,
    group_column: str | None = None,
    drop_columns: tuple[str, ...] = (),
    columns: Sequence[Column] | None = None,
    access: Access = AS_USUAL,
) -> Store:
    """The data set's store, from the cache if nothing has changed, else made now (into `output` if that is given).

    `columns` are those of a run that other rows are to be read as; a data set's own come from its training rows.
    """
    if access.given and dataset_folder != DATABASE:
        raise UserError(f"{access.given[0]} is set, but the data is {dataset_folder}", "--dataset_folder database")
    folder = Path(dataset_folder).expanduser()
    if dataset_folder not in NAMED_DATA and is_store(folder):
        return _as_asked(open_store(folder), image_size, group_column, output)
    with contextlib.ExitStack() as kept:
        if dataset_folder == DATABASE:
            spool = kept.enter_context(_spool(cache_folder))
            source = database.database_source(access, target_column, group_column, drop_columns, spool)
        else:
            source = _recognised(dataset_folder, folder, target_column, group_column, drop_columns, quiet=quiet)
        given = {"target_column": target_column, "group_column": group_column, "drop_columns": drop_columns}
        _refuse_foreign(source, dataset_folder, given | {"image_size": image_size})
        seed = split_seed if source.draws_test else None
        settings: dict[str, Any] = {"kind": source.kind, "image_size": image_size, "split_seed": seed}
        if source.query_sha256 is not None:
            settings["query_sha256"] = source.query_sha256
        if columns is not None:
            settings["columns"] = as_json(columns)
        final = output if output is not None and not output.exists() else cache_folder / _key(source, settings)
        store = None if final == output else _cached(final)
        is_new = store is None
        if store is None:
            _make(final, source, dataset_folder, settings | {"columns": columns, "where": dataset_folder}, quiet=quiet)
            store = open_store(final)
    if store.duplicates:
        _logger.warning(
            "%d of %d test %s are also in train: the accuracy will look better than it is",
            store.duplicates,
            len(store.splits["test"].labels),
            "images" if store.columns is None else "rows",
        )
    leaks.warn(store, is_new=is_new)
    return store if output is None or output == final else _same(store, output)


def _as_asked(store: Store, image_size: int | None, group_column: str | None, output: Path | None) -> Store:
    if image_size is not None and store.shape[:2] != (image_size, image_size):
        height, width, _ = store.shape
        raise UserError(
            f"{store.folder} was prepared at {height} x {width}; image_size is {image_size}",
            "leave image_size out, or prepare the original images again at that size",
        )
    if group_column and store.splits["train"].groups is None:
        raise UserError(
            f"{store.folder} was prepared without groups; group_column is {group_column}",
            "leave group_column out, or prepare the original data again with it",
        )
    return store if output is None else _same(store, output)


def _same(store: Store, output: Path) -> Store:
    """The store in `output`, if it is the wanted one."""
    if is_store(output):
        there = open_store(output)
        if there.digest == store.digest:
            return there
    found = "another store" if is_store(output) else "already there" if output.exists() else "not needed"
    raise UserError(
        f"{output} is {found}: {store.folder} is the prepared store", "choose a new folder, or use that one as it is"
    )


def _recognised(
    dataset_folder: str, folder: Path, target: str | None, group: str | None, drop: tuple[str, ...], *, quiet: bool
) -> Source:
    if dataset_folder in BUILT_IN_TABLES:
        return builtin.table(dataset_folder, drop)
    if dataset_folder in BUILT_IN_DATA:
        return builtin.digits()
    if manifest.is_manifest(folder):
        return manifest.manifest_source(folder, target, group)
    if table.is_table(folder):
        return table.table_source(folder, target, group, drop)
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
    siblings = [entry.name for entry in folder.parent.iterdir() if entry.is_dir()] if folder.parent.is_dir() else []
    near = difflib.get_close_matches(folder.name, [*NAMED_DATA, *siblings], n=1)
    if os.sep in dataset_folder:
        near = difflib.get_close_matches(folder.name, siblings, n=1)
    suggestion = f"did you mean {near[0] if near[0] in NAMED_DATA else folder.parent / near[0]}? " if near else ""
    looked = "no built-in data set has that name, and " if os.sep not in dataset_folder else ""
    return UserError(
        f"the data set {dataset_folder} was not found: {looked}there is no folder {folder.absolute()}",
        f"{suggestion}give a built-in name ({', '.join(NAMED_DATA)}) or the path of a folder of class folders",
    )


# The settings that say nothing about data of a kind: they were meant for other data.
_FOREIGN = {
    "table": ("image_size",),
    "manifest": ("drop_columns",),
    "database": ("drop_columns",),
    "images": ("target_column", "group_column", "drop_columns"),
}


def _refuse_foreign(source: Source, name: str, given: Mapping[str, Any]) -> None:
    kind = source.kind.split()[0]
    foreign = _FOREIGN.get(kind, _FOREIGN["images"])
    if name in BUILT_IN_TABLES:
        foreign += ("target_column", "group_column")
    found = [setting for setting in foreign if given[setting]]
    if found:
        what = {"table": "is a table", "manifest": "is a manifest of images"}.get(kind, "holds images")
        raise UserError(f"{found[0]} is set, but {name} {what}", f"leave {found[0]} out")


def _key(source: Source, settings: Mapping[str, Any]) -> str:
    """The cache's name for what would be made: the source as the file system shows it, and the settings."""
    # ascii: a file name may hold bytes that are not UTF-8.
    stats = [(ascii(name), *rest) for name, *rest in source.stats]
    # `holds`: a store that an earlier version made lacks the files' heights and widths.
    value = {**settings, "stats": stats, "format": FORMAT, "holds": ("inputs", "labels", "sizes")}
    return files.digest_bytes(files.canonical_json(value).encode())


def _cached(final: Path) -> Store | None:
    """The store in the cache; what is damaged there is removed, for it can be made again."""
    if not os.path.lexists(final):
        return None
    try:
        return open_store(final)
    except DamagedStoreError as error:
        damage = error.what
    with files.lock(final.parent):
        try:
            # Another process may have made it again, or removed it, in the meantime.
            return open_store(final) if os.path.lexists(final) else None
        except DamagedStoreError:
            _logger.warning("%s; it is made again", damage)
            files.discard(final)
    return None


def _make(final: Path, source: Source, name: str, settings: dict[str, Any], *, quiet: bool) -> None:
    started = time.perf_counter()
    _remove_stale(final)
    classes, examples = source.load()
    if settings["split_seed"] is not None:
        examples = with_drawn_test(classes, examples, settings["split_seed"], name)
    refuse_divided_groups(examples, name)
    total = sum(len(part.labels) for part in examples.values())
    if len(examples["train"].labels) < 2:
        raise UserError(f"{name} leaves fewer than two examples to train on", "add examples")
    _logger.info("preparing %d examples of %s", total, name)
    with files.new_folder(final) as temporary, files.lock(temporary, f"{temporary} is in use"):
        write_store(temporary, classes, examples, settings, quiet=quiet)
    _logger.debug("prepared %s in %.1f s", final, time.perf_counter() - started)


@contextlib.contextmanager
def _spool(cache_folder: Path) -> Iterator[Path]:
    """A folder for what a database sends, on the disk of the stores; what a killed process left is removed later."""
    files.make_folder(cache_folder)
    with files.scratch_folder(cache_folder, f".{_SPOOL}.", ".tmp") as folder, files.lock(folder, f"{folder} is in use"):
        yield folder


def _remove_stale(final: Path) -> None:
    """Remove what killed processes left: unlocked, and old enough not to be a folder just about to be locked."""
    if not final.parent.is_dir():
        return
    ours = re.compile(rf"\.({re.escape(final.name)}|[0-9a-f]{{64}})\.\w+\.tmp")
    for path in final.parent.iterdir():
        if ours.fullmatch(path.name) and path.is_dir() and time.time() - path.stat().st_mtime > _STALE_SECONDS:
            try:
                with files.lock(path, "busy"):
                    shutil.rmtree(path)
            except (UserError, OSError):
                # Somebody is at work in it, or has been faster: not ours to remove.
                continue
