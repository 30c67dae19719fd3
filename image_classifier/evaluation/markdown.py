"""Pieces of Markdown, in which text that comes from data is shown as it is and never as markup."""

import html
import re
from collections.abc import Sequence

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~@:])")


def escaped(text: str) -> str:
    """Text that Markdown and HTML show as it is, on one line."""
    visible = "".join(letter if letter.isprintable() else " " for letter in text)
    return _MARKUP.sub(r"\\\1", html.escape(visible, quote=False))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], marks: Sequence[str] = ()) -> str:
    """A table of cells that are Markdown already; `marks` align the columns (`---:` to the right)."""
    return "\n".join([line(head), line(marks or ["---"] * len(head)), *map(line, rows)])


def line(cells: Sequence[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cells) + " |"


def percent(share: float) -> str:
    """A share of 1 in percent, with one decimal."""
    return f"{100 * share:.1f} %"
