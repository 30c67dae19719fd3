"""The one error a user is meant to read, what its hint may suggest, and foreign errors inside it."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something outside the code must change: what was found, and what to do about it.

    `main` prints it as `error: …` and ` hint: …` and exits with 2; it never becomes a traceback.
    """

    exit_code = 2

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        """Both parts, for those who see the exception itself."""
        return f"{self.what} ({self.hint})" if self.hint else self.what


class NotSentError(UserError):
    """A run is complete, but its tracking server does not have it."""

    exit_code = 4


def of_system(error: OSError) -> UserError:
    """What the operating system refused, as an error that is told and not traced."""
    what = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else one_line(error)
    return UserError(what, "check the path, its permissions and the disk")


def one_line(error: Exception, longest: int | None = None) -> str:
    """A foreign error's text on one line, cut after `longest` characters; its type's name if it says nothing."""
    return " ".join(str(error).split())[:longest] or type(error).__name__


def suggestion(name: str, known: Iterable[str]) -> str:
    """`did you mean …?` for the nearest known name, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""
