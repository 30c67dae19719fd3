"""Decoding on every CPU: a few worker processes, one question and one answer at a time each.

Plain subprocesses and not `multiprocessing`: its spawned children run the caller's script again, and outlive a parent
that is killed.
"""

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TextIO, cast

from image_classifier.cpus import available_cpus
from image_classifier.data.decoding import Chunk, Reply, decode
from image_classifier.data.examples import shown
from image_classifier.errors import UserError

# Below this a second process costs more than it saves (it takes 0.1 s to start).
SMALL_BYTES = 4_000_000

Worker = subprocess.Popen[str]


def replies(chunks: list[Chunk], total_bytes: int) -> Iterator[Reply]:
    """The chunks' replies in the order they finish, decoded on all CPUs this process may use."""
    count = min(len(chunks), available_cpus())
    if total_bytes < SMALL_BYTES or count < 2:
        yield from map(decode, chunks)
        return
    with _workers(count) as workers, selectors.DefaultSelector() as ready:
        waiting = iter(chunks)
        asked: dict[Worker, Chunk] = {}
        for worker, chunk in zip(workers, waiting, strict=False):
            ready.register(cast("TextIO", worker.stdout), selectors.EVENT_READ, worker)
            _ask(worker, chunk, asked)
        while asked:
            for event, _ in ready.select():
                worker = event.data
                yield _answer(worker, asked.pop(worker))
                following = next(waiting, None)
                if following is not None:
                    _ask(worker, following, asked)


@contextmanager
def _workers(count: int) -> Iterator[list[Worker]]:
    # The same modules as here, wherever they come from; its own session, so that Ctrl-C reaches only the parent.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "image_classifier.data.decoding"]
    with ExitStack() as stack:
        workers: list[Worker] = []
        for _ in range(count):
            worker = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="ascii",
                env=environment,
                start_new_session=True,
            )
            stack.callback(_end, worker)
            workers.append(worker)
        yield workers


def _end(worker: Worker) -> None:
    worker.kill()
    worker.wait()
    for stream in (worker.stdin, worker.stdout):
        # A question that a dead worker never read is still in the buffer.
        with suppress(BrokenPipeError):
            cast("TextIO", stream).close()


def _ask(worker: Worker, chunk: Chunk, asked: dict[Worker, Chunk]) -> None:
    asked[worker] = chunk
    try:
        print(json.dumps(chunk), file=worker.stdin, flush=True)
    except BrokenPipeError:
        # It has died; reading its answer finds that out and says on what.
        return


def _answer(worker: Worker, chunk: Chunk) -> Reply:
    line = cast("TextIO", worker.stdout).readline()
    if not line.endswith("\n"):
        first, last = shown(chunk["paths"][0]), shown(chunk["paths"][-1])
        raise UserError(
            f"the process that decodes images ended (exit status {worker.wait()}) between {first} and {last}",
            "the machine may be out of memory, or one of these files crashes the decoder: move them away and run again",
        )
    reply: Reply = json.loads(line)
    return reply
