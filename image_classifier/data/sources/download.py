"""The published archive of CIFAR-10: fetched, checked, and only then unpacked."""

import hashlib
import http.client
import logging
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from tqdm import tqdm

from image_classifier import files
from image_classifier.errors import UserError

# The sha256 belongs to the md5 c58f30108f718f92721af3b95e74349a on https://www.cs.toronto.edu/~kriz/cifar.html
ARCHIVE = (
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",  # pragma: allowlist secret
)
_TIMEOUT_SECONDS = 10
_PIECE = 1 << 18
_logger = logging.getLogger(__name__)


def fetch_batches(batches: Path, members: Iterable[str], archive: tuple[str, str], *, quiet: bool) -> None:
    """Make the folder `batches` with these members of the archive (address, sha256), whole or not at all."""
    address, digest = archive
    _logger.info("downloading %s", address)
    with files.new_folder(batches) as temporary, tempfile.TemporaryFile(dir=batches.parent) as stream:
        try:
            found = _download(address, stream, batches, quiet=quiet)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _failed(batches, members, f"{address} could not be downloaded: {_reason(error)}") from error
        if found != digest:
            raise _failed(batches, members, f"{address} has the sha256 {found} instead of {digest}")
        stream.seek(0)
        _unpack(stream, temporary, batches.name, members)


def _download(address: str, stream: IO[bytes], batches: Path, *, quiet: bool) -> str:
    """The sha256 of what was written to `stream`; a full disk is told as one, for `batches`."""
    digest = hashlib.sha256()
    request = urllib.request.Request(address, headers={"User-Agent": "image_classifier"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 (a constant, or a test's)
        total = int(response.headers.get("Content-Length") or 0)
        hidden = True if quiet else None
        with tqdm(total=total or None, unit="B", unit_scale=True, desc="downloading", disable=hidden) as bar:
            while piece := response.read(_PIECE):
                with files.disk_errors(batches):
                    stream.write(piece)
                digest.update(piece)
                bar.update(len(piece))
    if stream.tell() < total:
        raise http.client.IncompleteRead(b"", total - stream.tell())
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, http.client.IncompleteRead):
        return f"the connection ended {error.expected} bytes early"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


def _failed(batches: Path, members: Iterable[str], what: str) -> UserError:
    return UserError(
        what,
        f"download cifar-10-python.tar.gz elsewhere and unpack it so that {batches} holds {', '.join(members)}; "
        "or train on the built-in data: --dataset_folder digits",
    )


def _unpack(stream: IO[bytes], folder: Path, inside: str, members: Iterable[str]) -> None:
    """Copy the members' bytes: no path, mode, owner or link of the archive is ever used."""
    with tarfile.open(fileobj=stream, mode="r:gz") as archive:
        for name in members:
            content = archive.extractfile(f"{inside}/{name}")
            if content is None:
                raise KeyError(name)
            with files.create(folder / name) as target:
                shutil.copyfileobj(content, target)
