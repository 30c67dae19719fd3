"""Paths that somebody typed: plain, relative, and inside the repository also after every link is followed."""

import re
from pathlib import Path

from package import UserError

_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*/?")
_LONGEST = 255


def inside(text: str, name: str, *, resolve: bool = True) -> Path:
    """The path, relative to the repository; anything that could lead elsewhere is refused."""
    if len(text) > _LONGEST or not _PATH.fullmatch(text):
        raise UserError(
            f"{name} {text!r} is not a plain relative path",
            "use folder names of letters, digits, dots, dashes and underscores, none beginning with a dot",
        )
    path = Path(text)
    if resolve:
        root = Path.cwd().resolve()
        target = path.resolve()
        if not target.is_relative_to(root) or ".git" in target.relative_to(root).parts:
            raise UserError(f"{name} {text!r} leads out of the repository through a link", "name a path inside it")
    return path
