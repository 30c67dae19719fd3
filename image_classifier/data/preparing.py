"""From what the user named to an open store: recognised, looked up, made only if it is not there."""

import contextlib
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from image_classifier import files
from image_classifier.data import leaks
from image_classifier.data.drawing import refuse_divided_groups, with_drawn_test
from image_classifier.data.examples import ColumnNames, Source
from image_classifier.data.recognising import recognised, refuse_foreign
from image_classifier.data.sources import database, remote
from image_classifier.data.store import FORMAT, INDEX, DamagedStoreError, Store, is_store, open_store
from image_classifier.data.tables import Column, as_json
from image_classifier.data.turns import only_maker, remove_stale
from image_classifier.data.unchanged import refuse_changed
from image_classifier.data.writing import write_store
from image_classifier.errors import UserError
from image_classifier.settings.addresses import is_address
from image_classifier.settings.database import AS_USUAL, Access
from image_classifier.settings.inputs import PLAIN, Fitting
from image_classifier.settings.names import DATABASE, NAMED_DATA

PULLED = "pulled"  # the folder in the cache with copies of what lies in buckets
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
    fitting: Fitting = PLAIN,
    columns: Sequence[Column] | None = None,
    access: Access = AS_USUAL,
) -> Store:
    """The data set's store, from the cache if nothing has changed, else made now (into `output` if that is given).

    `fitting` says how images become squares of `image_size`, where they do not keep their own.
    `columns` are those of a run that other rows are to be read as; a data set's own come from its training rows.
    """
    if access.given and dataset_folder != DATABASE:
        raise UserError(f"{access.given[0]} is set, but the data is {dataset_folder}", "--dataset_folder database")
    folder = Path(dataset_folder).expanduser()
    copies = cache_folder / PULLED
    if is_address(dataset_folder):
        found_store = remote.store_at(dataset_folder, copies, quiet=quiet)
    else:
        found_store = open_store(folder) if dataset_folder not in NAMED_DATA and is_store(folder) else None
    if found_store:
        return _as_asked(found_store, image_size, group_column, output)
    names = ColumnNames(target_column, group_column, drop_columns)
    asked = {"image_size": image_size, "split_seed": split_seed, "columns": columns, **names._asdict()}
    if image_size is not None and fitting != PLAIN:
        asked |= fitting.described()
    into = output if output is not None and not output.exists() else None

    def known(identity: str) -> Store | None:
        return None if into else _cached(cache_folder / _key_of(identity, asked))

    with contextlib.ExitStack() as kept:
        found: Source | Store
        if dataset_folder == DATABASE:
            spool = kept.enter_context(_spool(cache_folder))
            kept_there = not into and any(cache_folder.glob(f"*/{INDEX}"))  # else there is nothing to look up
            found = database.database_source(access, names, spool, known=known if kept_there else None, quiet=quiet)
        elif is_address(dataset_folder):
            found = remote.source_at(dataset_folder, names, copies, kept, known=known, quiet=quiet)
        else:
            objects = remote.objects_of(folder, copies, kept, quiet=quiet)
            found = recognised(dataset_folder, folder, names, quiet=quiet, objects=objects)
        if isinstance(found, Store):
            store, is_new = found, False
        else:
            refuse_foreign(found, dataset_folder, asked)
            key = _key(found, asked)
            final = into or cache_folder / key
            store, is_new = _opened_or_made(final, found, dataset_folder, asked, key=key, quiet=quiet)
    _tell_duplicates(store)
    leaks.warn(store, is_new=is_new)
    return store if output is None or into else _same(store, output)


def _opened_or_made(
    final: Path, source: Source, name: str, asked: Mapping[str, Any], *, key: str, quiet: bool
) -> tuple[Store, bool]:
    """The store at `final`, and whether it was made now; `key` is the cache's name for it."""
    is_cache = final.name == key  # what is there is what is wanted
    store = _cached(final) if is_cache else None
    if store is not None:
        return store, False
    settings = _settings(source, asked) | {"columns": asked["columns"], "where": name}
    with only_maker(final, key) as waited:
        store = _cached(final) if is_cache or waited else None
        if store is not None:
            return store, False
        digest = _make(final, source, name, settings, quiet=quiet)
    store = open_store(final)
    if store.digest != digest:
        raise UserError(f"another process has put other data into {final} meanwhile", "choose a new folder")
    return store, True


def _tell_duplicates(store: Store) -> None:
    if store.duplicates:
        _logger.warning(
            "%d of %d test %s are also in train: the accuracy will look better than it is",
            store.duplicates,
            len(store.splits["test"].labels),
            "images" if store.columns is None else "rows",
        )


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


def _settings(source: Source, asked: Mapping[str, Any]) -> dict[str, Any]:
    """How a source's examples are stored, as the store's index tells it."""
    seed = asked["split_seed"] if source.draws_test else None
    settings = {"kind": source.kind, "image_size": asked["image_size"], "split_seed": seed}
    settings |= {name: asked[name] for name in ("interpolation", "crop") if name in asked}
    return settings if source.query_sha256 is None else settings | {"query_sha256": source.query_sha256}


def _key(source: Source, asked: Mapping[str, Any]) -> str:
    """The cache's name for what would be made: the source as the file system shows it, and the settings."""
    if source.identity is not None:
        return _key_of(source.identity, asked)
    # ascii: a file name may hold bytes that are not UTF-8.
    stats = [(ascii(name), *rest) for name, *rest in source.stats]
    return _named(_settings(source, asked) | _columns(asked) | {"stats": stats})


def _key_of(identity: str, asked: Mapping[str, Any]) -> str:
    """The same of a source that is known by what was told of it before anything was read."""
    return _named({**asked, "columns": None} | _columns(asked) | {"identity": identity})


def _columns(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {} if asked["columns"] is None else {"columns": as_json(asked["columns"])}


def _named(value: Mapping[str, Any]) -> str:
    # `holds`: a store that an earlier version made lacks the files' heights and widths.
    whole = {**value, "format": FORMAT, "holds": ("inputs", "labels", "sizes")}
    return files.digest_bytes(files.canonical_json(whole).encode())


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


def _make(final: Path, source: Source, name: str, settings: dict[str, Any], *, quiet: bool) -> str:
    """Make the store at `final`; the digest that it got."""
    started = time.perf_counter()
    remove_stale(final)
    classes, examples = source.load()
    if settings["split_seed"] is not None:
        examples = with_drawn_test(classes, examples, settings["split_seed"], name)
    refuse_divided_groups(examples, name)
    total = sum(len(part.labels) for part in examples.values())
    if len(examples["train"].labels) < 2:
        raise UserError(f"{name} leaves fewer than two examples to train on", "add examples")
    _logger.info("preparing %d examples of %s", total, name)
    with files.new_folder(final) as temporary, files.lock(temporary, f"{temporary} is in use"):
        digest = write_store(temporary, classes, examples, settings, quiet=quiet)
        refuse_changed(source, name)
    _logger.debug("prepared %s in %.1f s", final, time.perf_counter() - started)
    return digest


@contextlib.contextmanager
def _spool(cache_folder: Path) -> Iterator[Path]:
    """A folder for what a database sends, on the disk of the stores; what a killed process left is removed later."""
    files.make_folder(cache_folder)
    with files.scratch_folder(cache_folder, f".{_SPOOL}.", ".tmp") as folder, files.lock(folder, f"{folder} is in use"):
        yield folder
