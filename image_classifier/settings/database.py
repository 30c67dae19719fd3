"""How a database is reached: the file that describes it, and where its password is. Nothing here opens it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from image_classifier.errors import UserError, suggestion

PACKAGED = Path(__file__).resolve().parents[1] / "data" / "db_connect.yaml"
DIALECTS = ("sqlite", "postgresql")
_KEYS = ("dialect", "host", "port", "name", "user", "query")
# What libpq is told beside the place: TLS, Kerberos, patience. https://www.postgresql.org/docs/current/libpq-connect.html
OPTIONS = (
    "sslmode", "sslnegotiation", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir", "sslsni", "channel_binding",
    "require_auth", "ssl_min_protocol_version", "ssl_max_protocol_version", "gssencmode", "krbsrvname", "passfile",
    "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
    "target_session_attrs", "application_name",
)  # fmt: skip
_SECRET = ("password", "passwd", "pass", "db_pass", "pwd", "sslpassword")
_ELSEWHERE = "the password comes from the variable DB_PASS, --db_pass_file, or the driver's own file (~/.pgpass)"
_FORM = f"a description of a database has the keys {', '.join(_KEYS)}, and for TLS sslmode, sslrootcert, …"


@dataclass(frozen=True)
class Access:
    """What the command line says of a database; the password is in no text that is made of this."""

    db_connect: Path | None = None  # the package's own, where none is named
    db_pass: str | None = field(default=None, repr=False)
    db_pass_file: Path | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the flags that were given."""
        return tuple(name for name in ("db_connect", "db_pass", "db_pass_file") if getattr(self, name) is not None)

    def as_json(self) -> dict[str, str]:
        """The flags for another process of one's own, over a pipe: the password is among them."""
        return {name: str(getattr(self, name)) for name in self.given}

    @classmethod
    def from_json(cls, given: Mapping[str, str]) -> Self:
        """What `as_json` wrote."""
        paths = {name: Path(given[name]) for name in ("db_connect", "db_pass_file") if name in given}
        return cls(db_pass=given.get("db_pass"), **paths)

    def password(self) -> str | None:
        """The password; None leaves it to the driver, which has files of its own."""
        if self.db_pass is not None and self.db_pass_file is not None:
            raise UserError("--db_pass and --db_pass_file are two places of one password", "give --db_pass_file")
        if self.db_pass_file is None:
            return self.db_pass or os.environ.get("DB_PASS") or None
        try:
            # One line end belongs to the file and not to the password.
            found = self.db_pass_file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise UserError(
                f"{self.db_pass_file} cannot be read: {reason}", "--db_pass_file names a text file"
            ) from None  # a decoding error carries the file's content
        if not found:
            raise UserError(f"{self.db_pass_file} is empty", "--db_pass_file names a file that holds the password")
        return found


AS_USUAL = Access()


@dataclass(frozen=True)
class Connection:
    """A database and the one query that is asked of it."""

    file: Path  # that describes it
    dialect: str
    name: str
    query: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def described(access: Access) -> Connection:
    """The database that the file describes, every value of it checked."""
    from image_classifier.settings.composition import parse, read  # noqa: PLC0415  (OmegaConf, a tenth of a second)

    file = access.db_connect or PACKAGED
    values = parse(read(file, "--db_connect takes a YAML file that describes a database"), str(file))
    _refuse_unknown(values, file)
    given = {name: value for name, value in values.items() if value not in (None, "")}
    dialect = given.get("dialect", "")
    if dialect not in DIALECTS:
        raise UserError(f"dialect in {file} is {dialect!r}", f"choose {' or '.join(DIALECTS)}")
    for name in ("name", "query"):
        if not isinstance(given.get(name), str) or not given[name].strip():
            raise UserError(f"{name} in {file} is {given.get(name, 'missing')!r}, which is no text", _FORM)
    _refuse_foreign(given, file)
    return Connection(
        file=file, dialect=dialect, name=given["name"], query=given["query"].strip().rstrip(";").rstrip(),
        host=given.get("host"), port=given.get("port"), user=given.get("user"),
        options={name: str(value) for name, value in given.items() if name in OPTIONS},
    )  # fmt: skip


def _refuse_unknown(values: Mapping[str, Any], file: Path) -> None:
    for name in values:
        if name.lower() in _SECRET:  # the value is not shown: it may be one
            raise UserError(f"{file} has the key {name}: secrets do not belong in files of settings", _ELSEWHERE)
        if name not in _KEYS and name not in OPTIONS:
            raise UserError(f"{file} has the unknown key {name}", suggestion(name, (*_KEYS, *OPTIONS)) or _FORM)


def _refuse_foreign(given: Mapping[str, Any], file: Path) -> None:
    """Refuse what a database of this kind has not, and what is of the wrong type."""
    beside = [name for name in given if name not in ("dialect", "name", "query")]
    if given["dialect"] == "sqlite" and beside:
        raise UserError(f"{file} has {', '.join(beside)}, which means nothing to sqlite", "leave it out")
    port = given.get("port", 1)
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        raise UserError(f"port in {file} is {port!r}", "a port is a whole number from 1 to 65535")
    for name in ("host", "user"):
        if not isinstance(given.get(name, ""), str):
            raise UserError(f"{name} in {file} is {given[name]!r}, which is no text", "put it into quotes")
    if "://" in given["name"] or "://" in given.get("host", ""):
        raise UserError(f"{file} has an address where a name is expected", _FORM)
