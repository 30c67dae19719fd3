"""Addresses of data in buckets and on servers (`s3://bucket/prefix`): what is one, and which are refused."""

import posixpath
import re
from typing import NamedTuple

from image_classifier.errors import UserError

_BEGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]{1,5})?")
S3 = ("s3", "s3a")
WEB = ("http", "https")
_OF_THIS_DISK = ("file", "local")


class Address(NamedTuple):
    """Where data lies: the bucket or server, and the path in it without a slash at either end."""

    scheme: str
    host: str
    path: str

    def __str__(self) -> str:
        """The address as it is given."""
        return f"{self.root}/{self.path}" if self.path else self.root

    @property
    def root(self) -> str:
        """The bucket's or server's own address."""
        return f"{self.scheme}://{self.host}"

    @property
    def folder(self) -> "Address":
        """What holds it."""
        return self._replace(path=posixpath.dirname(self.path))

    def below(self, name: str) -> "Address":
        """What has this name in it."""
        return self._replace(path=f"{self.path}/{name}" if self.path else name)


def is_address(text: str) -> bool:
    """Whether it begins with a scheme, as `s3://…`, and is no path."""
    return bool(_BEGIN.match(text))


def address_of(text: str) -> Address:
    """The address's parts; one that may hold a secret is refused without being shown."""
    scheme, _, rest = text.partition("://")
    host, _, path = rest.partition("/")
    scheme = scheme.lower()
    if scheme in _OF_THIS_DISK:
        raise UserError(f"{scheme}:// is a place on this machine", "give the path itself")
    if not (_SERVER if scheme not in S3 else _NAMED).fullmatch(host):
        raise UserError(
            f"an address that begins with {scheme}:// names no bucket: only letters, digits, dots and dashes may stand "
            f"before the next slash",
            "write s3://bucket/prefix; keys come from the environment (AWS_ACCESS_KEY_ID, AWS_PROFILE), never from it",
        )
    if scheme in WEB and re.search(r"[?#]", path):
        raise UserError(
            f"an address that begins with {scheme}://{host} holds a query, which may be a secret",
            "give an address without ? and #, or fetch the file and give its path",
        )
    return Address(scheme, host, path.strip("/"))
