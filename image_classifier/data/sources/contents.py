"""What is at an address: listed, told apart by its names alone, and known again by a digest of the listing."""

import json
import logging
import posixpath
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from image_classifier import files
from image_classifier.data.sources import cifar
from image_classifier.data.sources.attempts import RefusedError
from image_classifier.data.sources.bucket import Bucket
from image_classifier.data.sources.object_names import Remote, files_of
from image_classifier.data.sources.table import SUFFIXES
from image_classifier.data.store import INDEX, array_names
from image_classifier.errors import UserError
from image_classifier.settings.addresses import WEB, Address, address_of

_FRESH = 60  # seconds; a command looks at what is there and soon after prepares it
_PARQUET = ".parquet"
_logger = logging.getLogger(__name__)
_seen: dict[str, tuple[float, "Contents"]] = {}


@dataclass(frozen=True)
class Contents:
    """The objects that matter at an address, named from there; or the one object that it is itself."""

    address: Address
    bucket: Bucket
    objects: tuple[Remote, ...]
    is_file: bool = False

    @property
    def is_store(self) -> bool:
        """Whether it is a prepared store."""
        return not self.is_file and any(each.path == INDEX for each in self.objects)

    @property
    def is_table(self) -> bool:
        """Whether it is one table in parts."""
        return any("/" not in each.path and each.path.lower().endswith(_PARQUET) for each in self.objects)

    @property
    def is_cifar(self) -> bool:
        """Whether it has CIFAR-10's batches."""
        return any(each.path.startswith(f"{cifar.BATCHES}/") for each in self.objects)

    def inside(self, found: Remote) -> Remote:
        """The object by its path in the bucket."""
        return found._replace(path=self.address.path if self.is_file else self.address.below(found.path).path)

    def identity(self, md5: Callable[[str], str] | None = None) -> str | None:
        """The digest of what is there, wherever it lies; None where the server does not tell contents apart.

        `md5` tells it then, of what was pulled.
        """
        versions = [each.version or (md5(each.path) if md5 else None) for each in self.objects]
        if None in versions:
            return None
        listed = [[each.path, each.size, version] for each, version in zip(self.objects, versions, strict=True)]
        return files.digest_bytes(files.canonical_json(["file" if self.is_file else "folder", listed]).encode())

    def opened(self) -> BinaryIO:
        """The one object that it is, to read a little of."""
        return self.bucket.opened(self.address.path)

    def first_files(self, most: int) -> list[Address]:
        """The addresses of the first files of its class folders."""
        return [self.address.below(each.path) for each in self.objects if "/" in each.path][:most]

    def index(self) -> Any:
        """What a prepared store says of itself; None if that is no JSON."""
        index = next(each for each in self.objects if each.path == INDEX)
        try:
            return json.loads(self.bucket.read(self.inside(index).path, 0, index.size))
        except ValueError:
            return None


def look(text: str, *, again_soon: bool = False) -> Contents:
    """What is at the address now. What one command looks at and then prepares is listed once: `again_soon` says so."""
    when, found = _seen.pop(text, (0.0, None))
    if found is None or time.monotonic() - when > _FRESH:
        found = listed(Bucket(address_of(text)), address_of(text))
    if again_soon:
        _seen[text] = time.monotonic(), found
    return found


def listed(bucket: Bucket, address: Address) -> Contents:
    """What is at the address now, asked anew."""
    if posixpath.splitext(address.path)[1].lower() in SUFFIXES:
        found = bucket.found(address.path)
        if found:
            return Contents(address, bucket, (found._replace(path=posixpath.basename(address.path)),), is_file=True)
        if address.scheme in WEB:
            raise _nothing(bucket, address)
    prefix = f"{address.path}/" if address.path else ""
    below = (each._replace(path=each.path[len(prefix) :]) for each in bucket.listed(prefix))
    objects = files_of(below, str(address))
    if not objects:
        raise _nothing(bucket, address)
    return Contents(address, bucket, _that_matter(objects, str(address)))


def _nothing(bucket: Bucket, address: Address) -> UserError:
    if address.path and bucket.found(address.path):
        return RefusedError(
            f"{address} is one object, neither a folder nor a table",
            "a table ends in .csv or .parquet; unpack an archive first; images go into one folder per class",
        )
    return RefusedError(f"there is nothing at {address}", "check the address: s3://bucket/prefix, without a wildcard")


def _that_matter(objects: Sequence[Remote], where: str) -> tuple[Remote, ...]:
    """The objects without those that nothing reads, so that they need not be pulled; what is no data set is refused."""
    names = {each.path for each in objects}
    if INDEX in names:
        return tuple(each for each in objects if each.path in {INDEX, *array_names()})
    below = [each for each in objects if "/" in each.path]
    beside = [each for each in objects if "/" not in each.path]
    if not below and not names.isdisjoint(array_names()):
        hint = f"its writer is at work, or was interrupted: prepare --output {where} finishes it"
        raise RefusedError(f"the prepared store {where} is not complete: it has no {INDEX}", hint)
    has_table = any(each.path.lower().endswith(_PARQUET) for each in beside)
    if has_table and all(each.path.startswith("_") for each in below):
        return tuple(objects)  # what Spark is still at work on lies in _temporary/
    if not below:
        hint = "make one folder per class and put that class's images into it; a table's address ends in its name"
        raise RefusedError(f"{where} holds {len(beside)} objects and no class folders", hint)
    unused = [each for each in beside if each.path != cifar.METADATA]
    if unused:
        _logger.debug("%d objects beside the class folders at %s are not used", len(unused), where)
    return tuple(each for each in objects if "/" in each.path or each.path == cifar.METADATA)
