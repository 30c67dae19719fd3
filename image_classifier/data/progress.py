"""How long work on many examples shows itself: a bar on a terminal, a line now and then in a log."""

import logging
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

_SECONDS = 30  # between two lines
_logger = logging.getLogger(__name__)


class Progress:
    """Shows how many of `total` are done, how fast, and how long the rest takes; without a total the first two."""

    def __init__(self, doing: str, unit: str, total: int | None = None, *, quiet: bool = False) -> None:
        self._doing, self._unit, self._total, self._quiet = doing, unit, total, quiet
        self._done, self._began = 0, time.monotonic()
        self._told = self._began
        # None: shown on a terminal only.
        self._bar = tqdm(total=total, desc=doing, unit=f" {unit}", disable=True if quiet else None, leave=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def add(self, count: int) -> None:
        """Count what has been done; say so where it is time to."""
        self._done += count
        self._bar.update(count)
        now = time.monotonic()
        if self._bar.disable and not self._quiet and now - self._told >= _SECONDS:
            self._told = now
            _logger.info("%s", line(self._doing, self._unit, self._done, self._total, now - self._began))


def line(doing: str, unit: str, done: int, total: int | None, seconds: float) -> str:
    """What a log says: `preparing: 120,000 of 500,000 images, 4,100/s, 93 s left`."""
    rate = done / seconds
    if total is None:
        return f"{doing}: {done:,} {unit}, {rate:,.0f}/s"
    return f"{doing}: {done:,} of {total:,} {unit}, {rate:,.0f}/s, {(total - done) / rate:,.0f} s left"
