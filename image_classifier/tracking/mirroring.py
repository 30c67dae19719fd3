"""A run folder and its copy on a tracking server: sent now and then, sent again, and never in the way of the run."""

import contextlib
import functools
import logging
import socket
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from image_classifier import files, masking, runs
from image_classifier.errors import UserError, one_line
from image_classifier.runs import Run
from image_classifier.tracking import entries
from image_classifier.tracking.address import Where
from image_classifier.tracking.entries import Entry
from image_classifier.tracking.server import Server

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN = 30.0
_SECONDS_TO_CONNECT = 5.0
_LONGEST_REASON = 300


class Mirror:
    """Keeps a server's copy of a run folder up to date; the server's trouble is a warning, and never raised."""

    def __init__(self, where: Where | None, folder: Path) -> None:
        self._where, self._folder = where, folder
        self._pause, self._last = _SECONDS_BETWEEN, time.monotonic()
        self._ours = False

    def begin(self) -> None:
        """From here on this process trains the run: what stops it is sent to the server."""
        self._ours = True

    def update(self) -> None:
        """Send what is new if the last time is long enough ago; less and less often while nobody answers."""
        if self._where and time.monotonic() - self._last >= self._pause:
            self._pause = _SECONDS_BETWEEN if self.send() else 2 * self._pause
            self._last = time.monotonic()

    def send(self) -> bool:
        """Send what is new; whether the server has everything now."""
        return self._where is None or send(runs.read(self._folder), self._where)

    def stopped(self, status: str) -> None:
        """Say that the run does not go on, if the server knows it and no other process trains it."""
        if self._where is None or not self._ours or not runs.exists(self._folder):
            return
        run, where = runs.read(self._folder), self._where
        run_id = run.record.get("tracking", {}).get("runs", {}).get(where.shown)
        if run_id and not run.finished:
            _guarded(run.name, where, lambda: _stopped(where, run_id, status))


@contextlib.contextmanager
def mlflow_run(where: Where | None, folder: Path) -> Iterator[Mirror]:
    """The mirror of a run folder, which need not exist yet; leaving by an exception is sent to the server."""
    mirror = Mirror(where, folder)
    try:
        yield mirror
    except Exception:
        mirror.stopped("FAILED")
        raise
    except BaseException:
        mirror.stopped("KILLED")
        raise


class Sendable(Protocol):
    """What a request to train says of tracking."""

    @property
    def tracking(self) -> Where | None:
        """Where the run is sent."""
        ...

    @property
    def folder(self) -> Path:
        """The run folder."""
        ...


Asked = TypeVar("Asked", bound=Sendable)
Result = TypeVar("Result")


def training_run(train: Callable[[Asked, Mirror], Any]) -> Callable[[Asked], tuple[Run, bool]]:
    """`train(request, mirror)` as `train(request)`: the finished run, and whether the server has it."""

    @functools.wraps(train)
    def mirrored(request: Asked) -> tuple[Run, bool]:
        with mlflow_run(request.tracking, request.folder) as mirror:
            train(request, mirror)
            sent = mirror.send()
            return runs.read(request.folder), sent

    return mirrored


def send(run: Run, where: Where, parent: str | None = None) -> bool:
    """Send what the server does not have of a run, keep its id and page in run.json; whether all is there now."""
    # Nobody else writes its files meanwhile, or begins another entry for it; a run in training holds its lock already.
    with files.lock(run.folder):
        return _sent(runs.read(run.folder), where, parent)


def _sent(run: Run, where: Where, parent: str | None) -> bool:
    noted = _noted(run, **({"parent": parent} if parent else {}))
    # An earlier version kept more of an address than may be shown.
    before = noted.record["tracking"].get("runs", {})
    known = {masking.masked(address, whole=True): run_id for address, run_id in before.items()}
    pages = noted.record["tracking"].get("pages", {})

    def note(run_id: str, page: str | None) -> None:
        more = {"pages": {**pages, where.shown: page}} if page else {}
        _noted(noted, runs={**known, where.shown: run_id}, **more)

    # The id is noted before run.json itself is sent.
    return _guarded(run.name, where, lambda: _mirrored(entries.of_run(noted), where, note)) is not None


def _noted(run: Run, **more: Any) -> Run:
    """The run with this in the part of its record that is about tracking, written if it is new."""
    before = run.record.get("tracking", {})
    tracking = {"key": runs.new_key(), **before, **more}
    if tracking == before:
        return run
    noted = runs.Run(run.folder, {**run.record, "tracking": tracking})
    runs.write_record(noted)
    return noted


def send_entry(entry: Entry, where: Where) -> str | None:
    """Send what the server does not have of an entry; its id there, None if it could not be sent."""
    return _guarded(f"{entry.experiment}/{entry.name}", where, lambda: _mirrored(entry, where, lambda *_: None))


def _mirrored(entry: Entry, where: Where, begun: Callable[[str, str | None], object]) -> str:
    """The entry's id on the server, after all that it lacked was sent; `begun` gets it and its page before that."""
    with _alone(where):
        server = Server(where)
        held = server.held(entry)
        run_id = str(held.info.run_id)
        begun(run_id, where.page(str(held.info.experiment_id), run_id))
        server.send(entry, held)
        return run_id


def _stopped(where: Where, run_id: str, status: str) -> None:
    with _alone(where):
        Server(where).stopped(run_id, status)


def _guarded(name: str, where: Where, act: Callable[[], Result]) -> Result | None:
    """What `act` gives; None and a warning without secrets for whatever a server and MLflow may raise."""
    try:
        if where.address and not where.proxied:  # in seconds; database drivers try for minutes
            socket.create_connection(where.address, _SECONDS_TO_CONNECT).close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return act()
    except Exception as error:  # noqa: BLE001 (whatever it is: no trouble of the mirror may cost the run)
        logger.debug("not sent: %s", where.hidden(traceback.format_exc()))
        reason = error.what if isinstance(error, UserError) else one_line(error)
        logger.warning("%s was not sent to %s: %s", name, where.shown, where.hidden(reason)[:_LONGEST_REASON])
        return None


@contextlib.contextmanager
def _alone(where: Where) -> Iterator[None]:
    """Within, no other process of ours writes to a SQLite store: two that create one leave it broken for good."""
    if where.store is None:
        yield
        return
    # Not the store's own folder: that may be a sweep's, whose lock the sweep holds while its workers wait for this one.
    with files.lock(where.artifacts):
        yield
