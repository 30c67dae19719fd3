"""SIGTERM and Ctrl-C as exceptions, or, inside `deferred`, as a request that the caller honours at a good moment."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_HANDLED = (signal.SIGTERM, signal.SIGINT)


class Stopped(BaseException):
    """The process was asked to stop; the exit code is the shell's for that signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


Handler = Callable[[int, FrameType | None], None]


@contextlib.contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may change handlers
        return
    previous = {number: signal.signal(number, handler) for number in _HANDLED}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Within, SIGTERM and Ctrl-C raise `Stopped`, so that every `finally` runs."""
    with _handled_by(_raise):
        yield


def _raise(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)


class StopRequest:
    """Whether a stop was asked for, and by which signal."""

    def __init__(self) -> None:
        self.number: int | None = None

    def honour(self) -> None:
        """Raise `Stopped` if a stop was asked for."""
        if self.number is not None:
            raise Stopped(self.number)


@contextlib.contextmanager
def deferred() -> Iterator[StopRequest]:
    """Collect the first stop request instead of raising it; a second one raises at once."""
    request = StopRequest()

    def note(number: int, frame: FrameType | None) -> None:
        if request.number is not None:
            _raise(number, frame)
        request.number = number

    with _handled_by(note):
        yield request


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Within, a stop request waits for the end: raised while modules are imported, it can be lost or break one.

    The import system swallows what is raised in its weak references' callbacks, and some extensions die half made.
    """
    with deferred() as request:
        yield
    if request.number is not None:
        signal.raise_signal(request.number)
