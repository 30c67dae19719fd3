"""What a command prints: whatever becomes of the pipe, file or terminal that takes it, the command does its work."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

_STREAMS = (0, 1, 2)


class Output:
    """A stream to print to that never raises: what it cannot take is dropped, and why is kept in `error`."""

    def __init__(self, stream: TextIO | None, number: int) -> None:
        # Python has no stream where the caller closed it; `opened` has put /dev/null there.
        self._stream = stream or io.TextIOWrapper(io.FileIO(number, "w", closefd=False), encoding="utf-8")
        self._terminal = self._stream.isatty()
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        r"""Take the text; a character that the stream's encoding lacks becomes `\xNN` or `\uNNNN`."""
        encoding = self._stream.encoding or "utf-8"
        shown = text.encode(encoding, "backslashreplace").decode(encoding)
        with self._kept():
            self._stream.write(shown)
        return len(text)

    def flush(self) -> None:
        """Hand on what is waiting."""
        with self._kept():
            self._stream.flush()

    @property
    def reader_left(self) -> bool:
        """Whether nobody reads any more, as when `head` has seen enough or a terminal was closed: no fault of ours."""
        gone = self._terminal and self.error is not None and self.error.errno == errno.EIO
        return isinstance(self.error, ConnectionError) or gone

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
            self._discard()

    def _discard(self) -> None:
        """From here on write to /dev/null: what still waits in a buffer would fail again when Python ends."""
        with contextlib.suppress(OSError):  # a stream of another program's making has no descriptor
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def opened() -> None:
    """Put /dev/null where a standard stream is closed; a file opened later would get its number, and the prints."""
    for number in _STREAMS:
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


@contextlib.contextmanager
def guarded() -> Iterator[tuple[Output, Output]]:
    """Within, stdout and stderr never raise; both are flushed at the end, so that Python has nothing left to do."""
    opened()
    out, err = Output(sys.stdout, 1), Output(sys.stderr, 2)
    with contextlib.redirect_stdout(cast("TextIO", out)), contextlib.redirect_stderr(cast("TextIO", err)):
        try:
            yield out, err
        finally:
            out.flush()
            err.flush()
