"""Settings as somebody typed them, checked against the package's own bounds before an image is built."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from step import RefusedError

_NUMBER = {
    int: re.compile(r"[0-9]{1,18}"),
    float: re.compile(r"([0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})([eE][+-]?[0-9]{1,3})?"),
}
_OVERRIDE = re.compile(r"([a-z_]+)=([A-Za-z0-9.,_+-]+)")
_OWN_FIELD = "pretrained_model"


def overrides(text: str, taken: Sequence[str]) -> dict[str, str]:
    """`name=value name=value` as a mapping; what the form has a field for is refused."""
    found: dict[str, str] = {}
    for word in text.split(" "):
        match = _OVERRIDE.fullmatch(word)
        if not match and not word:
            continue
        if not match:
            raise RefusedError(f"{word!r} in overrides is not name=value", "write for example: seed=1 flip=none")
        name = match[1]
        if name in (*taken, _OWN_FIELD):
            raise RefusedError(f"{name} is in overrides", "it has a field of its own in the form")
        if name in found:
            raise RefusedError(f"{name} is in overrides twice", "give it once")
        found[name] = match[2]
    return found


def check(given: Mapping[str, str]) -> dict[str, str]:
    """The settings that are not empty, each known and within its bounds."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    # The package's settings need nothing but the standard library.
    from image_classifier import errors  # noqa: PLC0415
    from image_classifier.settings import config  # noqa: PLC0415

    wanted = {name: value for name, value in given.items() if value}
    for name, value in wanted.items():
        field = config.FIELDS.get(name)
        if field is None:
            raise RefusedError(
                f"{name} is not a setting", errors.suggestion(name, config.FIELDS) or "docs/settings.md lists all"
            )
        kind = config.kind(field)
        pattern = _NUMBER.get(kind)
        if pattern and not pattern.fullmatch(value):
            raise RefusedError(f"{name} must be {config.expected(field)}, not {value!r}", field.metadata["help"])
        if kind is bool:
            if value not in ("true", "false"):
                raise RefusedError(f"{name} must be true or false, not {value!r}", field.metadata["help"])
            continue
        try:
            config.check(field, kind(value), "the form")
        except errors.UserError as error:
            raise RefusedError(error.what, error.hint) from error
    return wanted
