"""Where runs are sent: the address of a tracking server or store, checked, and shown without its secrets."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

from image_classifier import masking
from image_classifier.errors import UserError, suggestion
from image_classifier.settings.names import ARTIFACTS, OFF, STORE, TRACKING_URI

_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_SQLITE = re.compile(r"sqlite(\+\w+)?:///(?P<path>[^?]+)(\?.*)?")
_SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
_SHORTEST_SECRET = 3  # letters; a shorter one would blot out ordinary words


@dataclass(frozen=True)
class Where:
    """A tracking server or store. Its address may hold secrets and is never shown; `shown` may be."""

    uri: str = field(repr=False)
    experiments_folder: Path

    @property
    def shown(self) -> str:
        """Scheme, host, port and path of the address, with a mark where there is more."""
        return masking.masked(self.uri, whole=True)

    def hidden(self, text: str) -> str:
        """A text, an error's say, without the secrets of this address and of the environment."""
        text = masking.masked(text)
        known = {*_secrets(self.uri), *(os.environ.get(name, "") for name in _SECRETS)}
        for secret in sorted(known, key=len, reverse=True):  # one may be part of another
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, masking.HIDDEN)
        return text

    @property
    def store(self) -> Path | None:
        """The file of a SQLite store."""
        return store(self.uri)

    @property
    def artifacts(self) -> Path:
        """Where files go that a database points to without a server in between."""
        return (self.store.parent if self.store else self.experiments_folder) / ARTIFACTS

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port of a server; None for a file."""
        parts = urlsplit(self.uri)
        return None if self.store else (str(parts.hostname), parts.port or _PORTS[_scheme(self.uri)])

    def page(self, experiment: str, run: str) -> str | None:
        """Where a browser shows a run of the server, without what is secret in the address; None for a database."""
        scheme, _, rest = self.uri.partition("://")
        place = masking.split(scheme, rest).place
        if place is None or not scheme.lower().startswith("http"):
            return None
        return f"{scheme}://{place.rstrip('/')}/#/experiments/{experiment}/runs/{run}"

    @property
    def proxied(self) -> bool:
        """Whether it is reached through a proxy that the environment names, and need not answer from here."""
        from urllib import request  # noqa: PLC0415  (most of what is done with an address needs none)

        scheme, proxies = _scheme(self.uri), request.getproxies()
        named = scheme in proxies or "all" in proxies
        return scheme.startswith("http") and named and not request.proxy_bypass(str(urlsplit(self.uri).hostname))


def store(uri: str) -> Path | None:
    """The file that a SQLite address names."""
    found = _SQLITE.fullmatch(uri)
    return Path(found["path"]) if found else None


def resolve(uri: str | None, experiments_folder: Path) -> Where | None:
    """Where runs are sent: the flag, else the environment, else a store beside the runs; None when it is off."""
    given = (uri or os.environ.get(TRACKING_URI) or f"sqlite:///{experiments_folder / STORE}").strip()
    if given.lower() == OFF:
        return None
    scheme = _scheme(given)
    valid = _names_a_server(given) if scheme in _PORTS else store(given) is not None
    if not valid or "\n" in given:
        near = suggestion(scheme, [*_PORTS, "sqlite"]) if scheme and scheme not in _PORTS else ""
        shown = masking.masked(re.sub(r"\s", "%20", given))
        raise UserError(
            f"{shown} is not the address of a tracking server",
            near or "write http://host:5000, sqlite:///file.db, postgresql://host/name, or off",
        )
    return Where(given, experiments_folder)


def _secrets(uri: str) -> set[str]:
    """What is secret in an address, in every form in which a driver's error may quote it."""
    scheme, _, rest = uri.partition("://")
    user, _, tail = masking.split(scheme, rest)
    parts = [user, *user.split(":", 1), tail[1:]]
    for item in re.split("[?&;#]", tail):
        parts += [item, item.partition("=")[2]]
    plain = {form for part in parts for form in (part, unquote(part), unquote_plus(part))}
    return plain | {form for part in plain for form in (quote(part, safe=""), quote(part), quote_plus(part))}


def _names_a_server(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return bool(parts.hostname) and parts.port != 0 and not any(letter.isspace() for letter in uri)
    except ValueError:  # a port that is no number, half an IPv6 address
        return False


def _scheme(uri: str) -> str:
    return uri.partition("://")[0].partition("+")[0].lower() if "://" in uri else ""
