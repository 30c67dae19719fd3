"""A prepared store put into a bucket: complete or absent, never half. Its index comes last, and nothing is replaced."""

import hashlib
import json
import logging
from pathlib import Path

from tqdm import tqdm

from image_classifier import files
from image_classifier.data.examples import shown
from image_classifier.data.sources.bucket import SENT_PART, Bucket
from image_classifier.data.sources.checking import md5_of
from image_classifier.data.sources.object_names import Remote, is_mark
from image_classifier.data.sources.pulling import PART
from image_classifier.data.store import INDEX, Store, array_names
from image_classifier.errors import UserError
from image_classifier.settings.addresses import Address, address_of

_SHOWN = 8
_ELSEWHERE = "choose another address, or remove what is there"
_logger = logging.getLogger(__name__)


class Place:
    """An address that a store is to be put at; one with something else is refused at once."""

    def __init__(self, text: str) -> None:
        self.address: Address = address_of(text)
        self._bucket = Bucket(self.address)
        self._there()

    def put(self, store: Store, *, quiet: bool = False) -> None:
        """Have the store there, or find it there; whatever else is there is left as it is, and refused."""
        index = (store.folder / INDEX).read_bytes()
        there = self._there()
        if INDEX not in there:
            names = sorted(path.name for path in store.folder.iterdir() if path.name in array_names())
            self._send(store.folder, names, there, quiet=quiet)
            if self._bucket.send(self._path(INDEX), index):
                _logger.info("the store is at %s", self.address)
                return
        self._compare(store)

    def _there(self) -> dict[str, Remote]:
        """The objects at the address by name; what belongs to no store is refused."""
        prefix = self._path("")
        known, strangers, found = {INDEX, *array_names()}, [], {}
        for each in self._bucket.listed(prefix):
            name = each.path[len(prefix) :]
            if name in known:
                found[name] = each
            elif not is_mark(each):
                strangers.append(shown(name))
            if len(strangers) == _SHOWN:
                break
        if strangers:
            raise UserError(f"{self.address} holds something else: {', '.join(strangers)}", _ELSEWHERE)
        return found

    def _send(self, folder: Path, names: list[str], there: dict[str, Remote], *, quiet: bool) -> None:
        """Send what is not there yet, and see that what is there then is what was to be sent."""
        self._refuse_others(folder, names, there)
        total = sum((folder / name).stat().st_size for name in names)
        hidden = True if quiet else None
        with tqdm(total=total, unit="B", unit_scale=True, desc="uploading", disable=hidden, leave=False) as bar:
            for name in names:
                if name not in there:
                    self._bucket.send(self._path(name), folder / name)
                bar.update((folder / name).stat().st_size)
        now = self._there()
        self._refuse_others(folder, names, now)
        missing = [name for name in names if name not in now]
        if missing:
            raise UserError(f"{', '.join(missing)} at {self.address} has been removed meanwhile", "run again")

    def _refuse_others(self, folder: Path, names: list[str], there: dict[str, Remote]) -> None:
        other = [name for name, found in there.items() if name != INDEX]
        other = [name for name in other if name not in names or not self._is(there[name], folder / name)]
        if other:
            raise UserError(
                f"{self.address} holds another store's {', '.join(sorted(other))}: somebody else writes to it, or an "
                "upload of other data was interrupted",
                _ELSEWHERE,
            )

    def _is(self, found: Remote, path: Path) -> bool:
        """Whether the object is this file, by its ETag; where that tells nothing, by its bytes."""
        if found.size != path.stat().st_size:
            return False
        if found.version == etag_of(path):
            return True
        digest = hashlib.sha256()
        for start in range(0, found.size, PART):
            digest.update(self._bucket.read(found.path, start, min(start + PART, found.size)))
        return digest.hexdigest() == files.digest_file(path)

    def _compare(self, store: Store) -> None:
        """Refuse a store that is there already, unless it is this one."""
        there = self._there()
        index = there.pop(INDEX)
        try:
            theirs = json.loads(self._bucket.read(index.path, 0, index.size))
            sizes = {name: entry["size"] for name, entry in theirs["files"].items()}
            digest = theirs["digest"]
        except (ValueError, KeyError, TypeError, AttributeError):
            digest, sizes = None, {}
        if digest is not None and digest != store.digest:
            raise UserError(f"{self.address} holds another store", _ELSEWHERE)
        if digest is None or {name: each.size for name, each in there.items()} != sizes:
            raise UserError(f"the store at {self.address} is damaged", "remove it, and run again")

    def _path(self, name: str) -> str:
        return f"{self.address.path}/{name}" if self.address.path else name


def etag_of(path: Path) -> str:
    """The ETag that S3 gives to the file as it is sent here: an md5, or the md5 of its parts' md5s and their number."""
    size = path.stat().st_size
    if size < 2 * SENT_PART:
        return md5_of(path)
    whole = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while part := stream.read(SENT_PART):
            whole.update(hashlib.md5(part, usedforsecurity=False).digest())
    return f"{whole.hexdigest()}-{-(-size // SENT_PART)}"
