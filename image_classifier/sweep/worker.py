"""A worker of a sweep: a process that trains one run after the other, as `train` would.

Tasks and answers are JSON. What it writes beside them, warnings and tracebacks, the sweep shows behind the run's name.
"""

import fcntl
import json
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypedDict

from tqdm import tqdm

from image_classifier import signals
from image_classifier.errors import UserError, of_system, one_line
from image_classifier.settings.database import Access
from image_classifier.settings.layers import Kind, Layer, Origin
from image_classifier.tracking import Where
from image_classifier.training import train

_LONGEST = 1000
_BUG = "this is a bug; its traceback was shown when it happened"


class Task(TypedDict):
    """One run to train: what `train.TrainingRequest` holds, as JSON; `where` is None when nothing is sent."""

    experiment_name: str
    run_name: str
    layers: list[tuple[str, str, dict[str, Any]]]
    experiments_folder: str
    cache_folder: str
    where: str | None
    tags: dict[str, str]
    parent: str | None
    command: list[str]
    access: dict[str, str]


class Outcome(TypedDict):
    """What became of it: what was wrong and what to do, or nothing; whether a tracking server has it, if one shall."""

    what: str | None
    hint: str
    sent: bool


def reply(task: Task) -> Outcome:
    """Train the run; what goes wrong is in the reply, and the next run can begin."""
    sys.argv = task["command"]  # what provenance records
    folder = Path(task["experiments_folder"])
    where = Where(task["where"], folder) if task["where"] else None
    request = train.TrainingRequest(
        task["experiment_name"], task["run_name"],
        [Layer(Origin(Kind(kind), name), values) for kind, name, values in task["layers"]],
        folder, Path(task["cache_folder"]), resume=True, tracking=where, tags=task["tags"], parent=task["parent"],
        access=Access.from_json(task["access"]),
    )  # fmt: skip
    try:
        _, sent = train.train(request)
    except UserError as error:
        return _failed(error.what, error.hint)
    except OSError as error:
        told = of_system(error)
        return _failed(told.what, told.hint)
    except Exception as error:  # noqa: BLE001 (a bug in one run must not cost the others)
        traceback.print_exc()
        return _failed(f"{type(error).__name__}: {one_line(error)}", _BUG)
    return Outcome(what=None, hint="", sent=sent)


def _failed(what: str, hint: str) -> Outcome:
    return Outcome(what=what[:_LONGEST], hint=hint[:_LONGEST], sent=True)


def work(connection: Connection, output: Connection) -> None:
    """Train the runs that come over the connection until an empty task comes; what is printed goes to `output`."""
    os.setsid()  # Ctrl-C reaches only the sweep, which asks each worker once
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output.fileno(), stream.fileno())
    output.close()
    logging.captureWarnings(capture=True)
    tqdm.set_lock(threading.RLock())  # its own is one between processes, which a killed worker would leave behind
    try:
        with signals.raised():
            _stop_with_the_sweep(connection)
            while task := connection.recv_bytes():
                connection.send_bytes(json.dumps(reply(json.loads(task))).encode())
    except signals.Stopped as stopped:
        sys.exit(stopped.exit_code)
    except (EOFError, OSError):  # the sweep is over
        return


def _stop_with_the_sweep(connection: Connection) -> None:
    """When the other end closes while a run is trained, the sweep was killed: stop as by SIGTERM."""
    end = socket.socket(fileno=os.dup(connection.fileno()))

    def look(*_: object) -> None:
        try:
            closed = not end.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            closed = True
        if closed:
            signal.signal(signal.SIGIO, signal.SIG_IGN)
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGIO, look)
    fcntl.fcntl(end, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_ASYNC)
