"""A bucket, or whatever else fsspec reads: its objects listed, read in parts, and written only where nothing is."""

import errno
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from image_classifier.data.sources.attempts import GoneError, RefusedError, ShortError, attempted
from image_classifier.data.sources.object_names import Remote
from image_classifier.settings.addresses import S3, WEB, Address

AT_ONCE = 16  # docs/decisions/0023 has the figures
SENT_PART = 50 << 20  # bytes; what has twice as many is sent in parts of so many
_LITTLE = 1 << 18
_CONNECT_SECONDS, _READ_SECONDS = 10, 30
# What kinds of servers call that which tells one content from another, the best first.
_VERSIONS = (
    "ETag", "etag", "md5Hash", "md5", "Content-MD5", "content_md5", "checksum", "sha256", "blob_id", "generation",
    "mtime", "LastModified", "last_modified", "Last-Modified", "updated", "created",
)  # fmt: skip


class Page(NamedTuple):
    """A part of a listing, and what asks for the next one."""

    found: list[Remote]
    more: dict[str, str] | None


class Bucket:
    """What stands before the path in an address."""

    def __init__(self, address: Address) -> None:
        self.root = address.root
        self._host = address.host
        self._is_s3 = address.scheme in S3
        self._listable = address.scheme not in WEB
        self._fs, self._inside = attempted(lambda: _connected(address, s3=self._is_s3), self.root)

    def endpoint(self) -> str:
        """The S3 server's own address, which AWS_ENDPOINT_URL or ~/.aws may have set."""
        return str(attempted(lambda: self._fs.s3.meta.endpoint_url, self.root)) if self._is_s3 else ""

    def listed(self, prefix: str, *, deep: bool = True) -> Iterator[Remote]:
        """The objects whose paths begin with `prefix`, which is empty or ends in a slash, a thousand at a time.

        Without `deep` those in folders below it are left out.
        """
        if not self._listable:
            hint = "give the address of one table, or copy the data to a folder or a bucket"
            raise RefusedError(f"{self.root}/{prefix} cannot be listed: web servers have no listings", hint)
        more: dict[str, str] | None = {}
        while more is not None:
            page = partial(self._page, prefix, more, deep=deep)
            found, more = attempted(page, f"{self.root}/{prefix}")
            yield from found

    def found(self, path: str) -> Remote | None:
        """The object with this path, if there is one."""
        where = f"{self.root}/{path}"
        if (
            self._is_s3
        ):  # one more right (to ask for an object's head) is not needed, and a missing bucket is told apart
            listed = attempted(lambda: self._page(path, {}, deep=True, most=1).found, where)
            return next((each for each in listed if each.path == path), None)
        try:
            about = attempted(lambda: self._fs.info(self._inside + path), where)
        except GoneError:
            return None
        if about.get("type") != "file":
            return None
        if about.get("size") is None:
            raise RefusedError(f"{where} has no size that the server tells", "fetch it, and give its path")
        return Remote(path, int(about["size"]), version_of(about))

    def read(self, path: str, start: int, end: int) -> bytes:
        """The object's bytes from `start` up to `end`, all of them."""
        where = f"{self.root}/{path}"
        return attempted(lambda: self._part(path, start, end), where) if end > start else b""

    def begin(self, path: str, most: int) -> bytes:
        """Up to `most` bytes from the object's beginning."""
        where = f"{self.root}/{path}"
        return bytes(attempted(lambda: self._fs.cat_file(self._inside + path, start=0, end=most), where))

    def opened(self, path: str) -> BinaryIO:
        """An object to read a little of, which is not fetched as a whole."""
        where, inside = f"{self.root}/{path}", self._inside + path
        return cast("BinaryIO", attempted(lambda: self._fs.open(inside, "rb", block_size=_LITTLE), where))

    def send(self, path: str, content: Path | bytes) -> bool:
        """Write an object where there is none, whole or not at all; whether there was none."""
        try:
            attempted(lambda: self._sent(path, content, "create"), f"{self.root}/{path}", "be written")
        except FileExistsError:
            return False
        return True

    def _sent(self, path: str, content: Path | bytes, mode: str) -> None:
        inside = self._inside + path
        try:
            if isinstance(content, bytes):
                self._fs.pipe_file(inside, content, mode=mode)
            else:
                parts = {"chunksize": SENT_PART, "max_concurrency": 4} if self._is_s3 else {}
                self._fs.put_file(str(content), inside, mode=mode, **parts)
        except OSError as error:
            # A server that cannot write on a condition: then only who looked before does not replace anything.
            if error.errno != errno.ENOSYS or mode != "create" or self.found(path):
                raise
            self._sent(path, content, "overwrite")

    def _page(self, prefix: str, more: Mapping[str, str], *, deep: bool, most: int = 1000) -> Page:
        if self._is_s3:
            return self._page_of_s3(prefix, more, deep=deep, most=most)
        inside = (self._inside + prefix).rstrip("/")
        try:
            found = self._fs.find(inside, detail=True).values() if deep else self._fs.ls(inside, detail=True)
        except FileNotFoundError:
            return Page([], None)
        names, begin = len(self._inside), self._inside + prefix  # a file's own path finds the file itself
        objects = [each for each in found if each.get("type") == "file" and each["name"].startswith(begin)]
        return Page([Remote(each["name"][names:], int(each["size"]), version_of(each)) for each in objects], None)

    def _page_of_s3(self, prefix: str, more: Mapping[str, str], *, deep: bool, most: int) -> Page:
        """By S3's own call: fsspec's would hold all it is told of all objects, and gives odd names in another form."""
        how = {} if deep else {"Delimiter": "/"}
        page = self._fs.call_s3("list_objects_v2", Bucket=self._host, Prefix=prefix, MaxKeys=most, **how, **more)
        found = [Remote(each["Key"], int(each["Size"]), version_of(each)) for each in page.get("Contents", ())]
        go_on = {"ContinuationToken": page["NextContinuationToken"]} if page.get("IsTruncated") else None
        return Page(found, go_on)

    def _part(self, path: str, start: int, end: int) -> bytes:
        data = bytes(self._fs.cat_file(self._inside + path, start=start, end=end))
        if len(data) != end - start:
            raise ShortError(f"{len(data)} bytes came instead of {end - start}")
        return data


def version_of(about: Mapping[str, Any]) -> str | None:
    """What tells this content from another, as the server has it; None if it has nothing."""
    found = next((about[name] for name in _VERSIONS if about.get(name) is not None), None)
    return None if found is None else str(found).strip('"')


def _connected(address: Address, *, s3: bool) -> tuple[Any, str]:
    """A file system of fsspec, which holds nothing back from an earlier call, and where its paths begin."""
    from fsspec.core import url_to_fs  # noqa: PLC0415  (0.1 s, and s3fs 0.5 s: only addresses need them)

    _silence()
    options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if s3:
        config = {
            "retries": {"total_max_attempts": 1}, "max_pool_connections": 2 * AT_ONCE,
            "connect_timeout": _CONNECT_SECONDS, "read_timeout": _READ_SECONDS,
        }  # fmt: skip
        options |= {"config_kwargs": config}
    try:
        fs, inside = url_to_fs(f"{address.root}/", **options)
    except ValueError as error:
        if "rotocol" in str(error):
            known = "s3://, or gs://, az://, hf:// and others with their packages"
            raise RefusedError(f"nothing here reads {address.scheme}://", f"give a path, or {known}") from None
        raise
    if s3:
        fs.retries = 1  # attempts are counted in one place
    return fs, inside.rstrip("/") + "/" if inside.strip("/") else inside


def _silence() -> None:
    """Keep the requests' headers, which hold the key's name and a signature, out of every log."""
    for name in ("botocore", "aiobotocore", "s3fs", "boto3", "urllib3", "aiohttp"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
