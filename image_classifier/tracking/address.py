"""Where runs are sent: the address of a tracking server or store, checked, and shown without its password."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from image_classifier.config import suggestion
from image_classifier.errors import UserError
from image_classifier.runs import provenance

OFF = "off"
STORE = "mlflow.db"
ARTIFACTS = "mlartifacts"  # beside the store; `make ui` names it to MLflow's server

_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_SQLITE = re.compile(r"sqlite(\+\w+)?:///(?P<path>[^?]+)(\?.*)?")
_SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
_SHORTEST_SECRET = 3  # letters; a shorter one would blot out ordinary words


@dataclass(frozen=True)
class Where:
    """A tracking server or store. Its address may hold a password and is never shown; `shown` may be."""

    uri: str = field(repr=False)
    experiments_folder: Path

    @property
    def shown(self) -> str:
        """The address without secrets."""
        return self.hidden(self.uri)

    def hidden(self, text: str) -> str:
        """A text, an error's say, without the secrets of this address and of the environment."""
        password = urlsplit(self.uri).password or ""
        for secret in (password, unquote(password), *(os.environ.get(name, "") for name in _SECRETS)):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return provenance.masked(text)

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


def store(uri: str) -> Path | None:
    """The file that a SQLite address names."""
    found = _SQLITE.fullmatch(uri)
    return Path(found["path"]) if found else None


def settle(uri: str | None, experiments_folder: Path) -> Where | None:
    """Where runs are sent: the flag, else the environment, else a store beside the runs; None when it is off."""
    given = (uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{experiments_folder / STORE}").strip()
    if given.lower() == OFF:
        return None
    scheme = _scheme(given)
    valid = _names_a_server(given) if scheme in _PORTS else store(given) is not None
    if not valid or "\n" in given:
        near = suggestion(scheme, [*_PORTS, "sqlite"]) if scheme and scheme not in _PORTS else ""
        raise UserError(
            f"{provenance.masked(given)} is not the address of a tracking server",
            near or "write http://host:5000, sqlite:///file.db, postgresql://user@host/name, or off",
        )
    return Where(given, experiments_folder)


def _names_a_server(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return bool(parts.hostname) and parts.port != 0 and not any(letter.isspace() for letter in uri)
    except ValueError:  # a port that is no number, half an IPv6 address
        return False


def _scheme(uri: str) -> str:
    return uri.partition("://")[0].partition("+")[0].lower() if "://" in uri else ""
