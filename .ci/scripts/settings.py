"""Settings as somebody typed them, checked against the package's own bounds before an image is built."""

import re
from collections.abc import Mapping

from package import UserError, config, names, suggestion

_NUMBER = {
    int: re.compile(r"[0-9]{1,18}"),
    float: re.compile(r"([0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})([eE][+-]?[0-9]{1,3})?"),
}
_OVERRIDE = re.compile(r"([a-z_]+)=([A-Za-z0-9.,_+-]+)")


def overrides(text: str) -> dict[str, str]:
    """`name=value name=value` as a mapping; what the form has a field for is refused."""
    found: dict[str, str] = {}
    for word in text.split(" "):
        match = _OVERRIDE.fullmatch(word)
        if not match and not word:
            continue
        if not match:
            raise UserError(f"{word!r} in overrides is not name=value", "write for example: seed=1 flip=none")
        name = match[1]
        if name in names.IN_THE_FORM:
            raise UserError(f"{name} is in overrides", "it has a field of its own in the form")
        if name in found:
            raise UserError(f"{name} is in overrides twice", "give it once")
        found[name] = match[2]
    return found


def check(given: Mapping[str, str]) -> dict[str, str]:
    """The settings that are not empty, each known and within its bounds."""
    wanted = {name: value for name, value in given.items() if value}
    for name, value in wanted.items():
        field = config.FIELDS.get(name)
        if field is None:
            near = suggestion(name, config.FIELDS)
            raise UserError(f"{name} is not a setting", near or "docs/settings.md lists all")
        kind = config.kind(field)
        pattern = _NUMBER.get(kind)
        if pattern and not pattern.fullmatch(value):
            raise UserError(f"{name} must be {config.expected(field)}, not {value!r}", field.metadata["help"])
        if kind is bool:
            if value not in ("true", "false"):
                raise UserError(f"{name} must be true or false, not {value!r}", field.metadata["help"])
            continue
        config.check(field, kind(value), "the form")
    return wanted
