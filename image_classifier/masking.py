"""Texts with addresses in them, shown without what may be secret there."""

import re
from typing import NamedTuple

HIDDEN = "***"

_ADDRESS = r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
_IN_TEXT = re.compile(_ADDRESS + r"(?P<rest>\S+)")
_TO_THE_END = re.compile(_ADDRESS + r"(?P<rest>.+)", re.DOTALL)
_PLACE = re.compile(r"(\[[^\]/]*\]|[^:/\[\]]*)(:[0-9]*)?(?P<path>/.*)?", re.DOTALL)  # host, port, path
_FILES = ("sqlite", "file")
_CLOSING = "'\"`)]}>,.;:"  # ends a sentence or a quotation rather than an address


class Address(NamedTuple):
    """The parts of an address behind its scheme. Only `place` (host, port, path) is no secret."""

    user: str
    place: str | None  # None: what is the host and what is a secret cannot be told apart
    tail: str  # query and fragment, with the mark that begins them


def split(scheme: str, rest: str) -> Address:
    """The parts of `scheme://rest`; where a secret holds an unescaped @, / or ?, rather too much is taken as secret."""
    local = rest.startswith("/") and scheme.lower().partition("+")[0] in _FILES
    begin = re.search(r"\?" if local else "[?#]", rest)
    head, tail = (rest[: begin.start()], rest[begin.start() :]) if begin else (rest, "")
    if local:
        return Address("", head, tail)
    user, _, place = head.rpartition("@")
    parts = _PLACE.fullmatch(place)
    readable = parts is not None and ("@" not in tail or parts["path"])
    return Address(user, place if readable else None, tail)


def masked(text: str, *, whole: bool = False) -> str:
    """The text in which each address is reduced to scheme, host, port and path.

    An address ends at white space; with `whole` it goes on to the end of the text, as in an argument of a command.
    """
    return (_TO_THE_END if whole else _IN_TEXT).sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    address = found["rest"].rstrip(_CLOSING)
    user, place, tail = split(found["scheme"], address)
    closing = found["rest"][len(address) :]
    if place is None:
        return f"{found['scheme']}://{HIDDEN}{closing}"
    before, after = f"{HIDDEN}@" if user else "", f"{tail[0]}{HIDDEN}" if tail else ""
    return f"{found['scheme']}://{before}{place}{after}{closing}"
