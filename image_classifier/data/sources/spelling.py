"""Paths in a manifest as another system or a web page would spell them: what is there under the usual spelling."""

import os
from urllib.parse import unquote


def respelled(path: str, folder: str) -> str | None:
    """How the path of a file that was not found should be written, in words; None if nothing is there otherwise."""
    for other, why in (
        (path.strip(), "blanks stand around it"),
        (path.replace("\\", "/"), "it has backslashes"),
        (unquote(path), "it is quoted as in an address"),
    ):
        if other != path and os.path.isfile(f"{folder}/{other}"):  # noqa: PTH113 (paths are plain text here)
            return f"not found, for {why}: there is {other}"
    return None
