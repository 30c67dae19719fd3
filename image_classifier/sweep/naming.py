"""The names of a sweep's runs."""

import re
from collections.abc import Mapping
from typing import Any

from image_classifier import files
from image_classifier.settings.config import spelled

_LONGEST_NAME = 64
_DIGEST = 8  # hexadecimal digits that tell shortened names apart


def child_name(values: Mapping[str, Any]) -> str:
    """A run's name that tells its values: the model's as it is, each other one behind its setting's name."""
    words = "--".join(
        spelled(value) if name == "model" else f"{name}-{spelled(value)}" for name, value in values.items()
    )
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", words)
    if plain == words and len(plain) <= _LONGEST_NAME:
        return plain
    digest = files.digest_bytes(files.canonical_json(dict(values)).encode())[:_DIGEST]
    return f"{plain[: _LONGEST_NAME - _DIGEST - 2]}--{digest}"
