"""Data at an address as a source: pulled where its store is not known, then read as the same data in a folder is."""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from image_classifier import files
from image_classifier.data.examples import ColumnNames, Source
from image_classifier.data.inputs import UnusableFilesError
from image_classifier.data.recognising import recognised
from image_classifier.data.sources import manifest
from image_classifier.data.sources.contents import Contents, listed, look
from image_classifier.data.sources.named_objects import NamedObjects
from image_classifier.data.sources.pulling import PulledCopy, Wanted
from image_classifier.data.store import DamagedStoreError, Store, open_store
from image_classifier.errors import UserError

_TIMES = 3
_logger = logging.getLogger(__name__)

Known = Callable[[str], Store | None]


def store_at(text: str, copies: Path, *, quiet: bool) -> Store | None:
    """The prepared store at an address, pulled into a folder of `copies`; None if other data is there."""
    contents = look(text, again_soon=True)
    if not contents.is_store:
        return None
    copy = PulledCopy(_place(copies, contents), quiet=quiet)
    with told_as(copy.files, text), copy.held():
        _pulled(look(text), copy, thorough=False)  # a store's own digests are checked when it is opened
        try:
            return open_store(copy.files)
        except DamagedStoreError as error:
            _logger.debug("%s", error)
        _pulled(contents, copy)  # what was damaged here is pulled again
        return open_store(copy.files)


def source_at(
    text: str, names: ColumnNames, copies: Path, kept: contextlib.ExitStack, *, known: Known, quiet: bool
) -> Source | Store:
    """What is at an address, in a copy that is locked until `kept` is closed; or its store, where `known` has it."""
    contents = look(text)
    identity = contents.identity()
    store = known(identity) if identity else None
    if store:
        return store
    copy = PulledCopy(_place(copies, contents), quiet=quiet)
    kept.enter_context(told_as(copy.files, str(contents.address.folder if contents.is_file else contents.address)))
    kept.enter_context(copy.held())
    store = known(identity) if identity else None  # another process may have made it meanwhile
    if store:
        return store
    contents = _pulled(contents, copy)
    if not contents.is_file:
        source = recognised(text, copy.files, names, quiet=quiet)
        return dataclasses.replace(source, identity=contents.identity(copy.md5))
    (found,) = contents.objects
    path = copy.path(found.path)
    if not manifest.is_manifest(path):
        return dataclasses.replace(recognised(text, path, names, quiet=quiet), identity=contents.identity(copy.md5))
    source = manifest.manifest_source(path, *names[:2], NamedObjects(copy, contents.address.folder, path.name))
    # The manifest by what it says: its copy may be younger than it is.
    itself = (found.path, found.size, int(copy.md5(found.path), 16), 0)
    return dataclasses.replace(source, stats=(*source.stats[:-1], itself), root=None)


def objects_of(path: Path, copies: Path, kept: contextlib.ExitStack, *, quiet: bool) -> NamedObjects:
    """The objects that a manifest on this disk may name, in a copy that is locked from when they are pulled."""
    place = files.digest_bytes(files.canonical_json(["manifest", ascii(str(path.absolute()))]).encode())
    return NamedObjects(PulledCopy(copies / place, quiet=quiet), None, None, kept)


def _place(copies: Path, contents: Contents) -> Path:
    where = ["at", str(contents.address), contents.bucket.endpoint()]
    return copies / files.digest_bytes(files.canonical_json(where).encode())


def _pulled(contents: Contents, copy: PulledCopy, *, thorough: bool = True) -> Contents:
    """What was there before and after it was pulled; what changed meanwhile is pulled again."""
    for _ in range(_TIMES):
        wanted = [Wanted(each.path, contents.bucket, contents.inside(each)) for each in contents.objects]
        # The images that a manifest names are beside it.
        if not copy.pull(wanted, only=not contents.is_file, thorough=thorough):
            return contents
        now = listed(contents.bucket, contents.address)
        if now.objects == contents.objects:
            return contents
        _logger.info("%s has changed while it was pulled: what differs is pulled again", contents.address)
        contents = now
    raise UserError(
        f"{contents.address} changes all the time: it was pulled {_TIMES} times",
        "wait until it is written; what was pulled is kept, and only what differs is pulled again",
    )


@contextlib.contextmanager
def told_as(folder: Path, address: str) -> Iterator[None]:
    """Within, an error speaks of the address where it would name the folder of its copy."""

    def told(text: str) -> str:
        return text.replace(str(folder), address)

    try:
        yield
    except UserError as error:
        error.what, error.hint = told(error.what), told(error.hint)
        error.args = (error.what,)
        if isinstance(error, UnusableFilesError):
            error.failures = [(told(path), told(reason)) for path, reason in error.failures]
        raise
