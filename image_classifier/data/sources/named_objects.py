"""The objects in buckets that a manifest's rows name: looked for folder by folder, and pulled when they are needed."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from image_classifier import files
from image_classifier.data.pixels import content_size, header_size
from image_classifier.data.sources.attempts import RefusedError
from image_classifier.data.sources.bucket import AT_ONCE, Bucket
from image_classifier.data.sources.crew import each_done
from image_classifier.data.sources.object_names import Remote, name_fault
from image_classifier.data.sources.pulling import PulledCopy, Wanted
from image_classifier.errors import UserError
from image_classifier.settings.addresses import WEB, Address, address_of, is_address

_HEADER = 1 << 16  # bytes; a longer header has a picture in it
_CHANGED = "run again: what was pulled is kept, and only what differs is pulled again"


class Object(NamedTuple):
    """An object that is there, and where its copy will be."""

    found: Remote
    copy: str


class NamedObjects:
    """The objects that one manifest names; `base` is the folder of a manifest that lies in a bucket itself."""

    def __init__(
        self, copy: PulledCopy, base: Address | None, manifest: str | None, kept: contextlib.ExitStack | None = None
    ) -> None:
        self._copy, self._base, self._manifest, self._kept = copy, base, manifest, kept
        self._buckets: dict[str, Bucket] = {}
        self._there: dict[Address, Remote] = {}

    def address(self, path: str) -> str | None:
        """Where a row's image lies, if that is no file on this disk."""
        if is_address(path):
            return path
        return None if self._base is None else str(self._base.below(path))

    def looked_up(self, given: Iterable[str]) -> dict[str, Object | str]:
        """For each address the object that is there, or what is wrong."""
        answers: dict[str, Object | str] = {}
        asked: dict[str, Address] = {}
        for text in given:
            try:
                asked[text] = address_of(text)
                fault = name_fault(asked[text].path)
            except UserError as error:
                fault = error.what
            if fault:
                answers[text] = fault
                asked.pop(text, None)
        found = self._found(set(asked.values()))
        for text, address in asked.items():
            answer = found.get(address, "there is no such object")
            answers[text] = answer if isinstance(answer, str) else Object(answer, str(self._copy.path(_name(address))))
        return answers

    def pull(self) -> None:
        """Have their copies; an object that has changed since it was looked for ends it."""
        if not self._there:
            return
        if self._kept is not None:
            self._kept.enter_context(self._copy.held())
        wanted = [Wanted(_name(each), self._bucket(each), found) for each, found in self._there.items()]
        if self._copy.pull(wanted, spared=self._manifest):
            before = dict(self._there)
            now = self._found(set(before))
            changed = sorted(str(each) for each, found in before.items() if now.get(each) != found)
            if changed:
                raise UserError(f"{len(changed)} objects have changed while they were pulled: {changed[0]}", _CHANGED)

    def _found(self, addresses: set[Address]) -> dict[Address, Remote | str]:
        """What is there of these, or why nothing can be: each folder is listed once, and nothing else."""
        found: dict[Address, Remote | str] = {}
        for root in sorted({each.root for each in addresses}):
            wanted = {each.path: each for each in addresses if each.root == root}
            try:
                bucket = self._bucket(next(iter(wanted.values())))
                found |= {wanted[each.path]: each for each in _listed(bucket, wanted)}
            except RefusedError as error:  # a bucket that is not there or closed is a fault of each row that names it
                found |= dict.fromkeys(wanted.values(), error.what)
        self._there |= {address: each for address, each in found.items() if not isinstance(each, str)}
        return found

    def _bucket(self, address: Address) -> Bucket:
        if address.root not in self._buckets:
            self._buckets[address.root] = Bucket(address)
        return self._buckets[address.root]


def sizes_at(places: Iterable[str]) -> Iterator[tuple[int, int] | None]:
    """Height and width of images at addresses and paths, by their beginnings."""
    buckets: dict[str, Bucket] = {}
    for place in places:
        if not is_address(place):
            yield header_size(place)
            continue
        address = address_of(place)
        if address.root not in buckets:
            buckets[address.root] = Bucket(address)
        try:
            yield content_size(buckets[address.root].begin(address.path, _HEADER))
        except RefusedError:
            yield None


def _listed(bucket: Bucket, wanted: dict[str, Address]) -> list[Remote]:
    if next(iter(wanted.values())).scheme in WEB:
        return [each for _, each in each_done(bucket.found, wanted, AT_ONCE) if each]
    folders = {path.rpartition("/")[0] for path in wanted}

    def inside(folder: str) -> list[Remote]:
        prefix = f"{folder}/" if folder else ""
        return [each for each in bucket.listed(prefix, deep=False) if each.path in wanted]

    return [each for _, there in each_done(inside, sorted(folders), AT_ONCE) for each in there]


def _name(address: Address) -> str:
    """What an object's copy is called: buckets beside each other."""
    return f"objects-{files.digest_bytes(address.root.encode())[:16]}/{address.path}"
