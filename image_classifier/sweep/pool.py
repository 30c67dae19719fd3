"""The worker processes of a sweep: each trains one run at a time, is replaced when it dies, and stops with the sweep.

They are forked from one process that has imported what a training needs and has done nothing else: torch, scikit-learn
and MLflow take a processor as long to import as a dozen small runs to train, and so this is paid once.

`concurrent.futures.ProcessPoolExecutor` cannot serve: one worker that dies breaks all of it, it has no way to ask its
processes to stop after a checkpoint, and they go on when the sweep is killed. Nor can this pool decode images: each
process that `multiprocessing` starts runs the caller's script again, if that is not guarded (data/workers.py).
"""

import collections
import contextlib
import json
import multiprocessing
import os
import selectors
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.context import ForkServerContext
from types import TracebackType
from typing import Self, cast

from image_classifier.sweep.worker import Outcome, Task, work

_PIECE = 1 << 16
_SECONDS_TO_END = 10  # after its connection has closed; no worker takes this long


class Worker:
    """One process, the run that it trains, and what it has written of its next line."""

    def __init__(self, context: ForkServerContext) -> None:
        self.connection, its_connection = context.Pipe()
        self.output, its_output = context.Pipe(duplex=False)
        self.task: Task | None = None
        self._begun = b""
        self.process = context.Process(target=work, args=(its_connection, its_output))
        self.process.start()
        its_connection.close()
        its_output.close()

    def assign(self, task: Task) -> None:
        """Give it a run to train; that it has died is noticed when its reply is read."""
        self.task = task
        with contextlib.suppress(OSError):
            self.connection.send_bytes(json.dumps(task).encode())

    def reply(self) -> Outcome | None:
        """Its reply; None when it has died."""
        try:
            return cast("Outcome", json.loads(self.connection.recv_bytes()))
        except (EOFError, OSError):
            return None

    def lines(self) -> list[str] | None:
        """The lines it has written since the last call; None after the last. For when there is something to read."""
        data = os.read(self.output.fileno(), _PIECE)
        if not data and not self._begun:
            return None
        *whole, self._begun = (self._begun + (data or b"\n")).split(b"\n")
        return [line.decode(errors="replace") for line in whole if line.strip()]

    def ask_to_stop(self) -> None:
        """Have it stop after a checkpoint; one without a run just ends."""
        if self.task:
            self.process.terminate()
        else:
            with contextlib.suppress(OSError):
                self.connection.send_bytes(b"")

    def end(self) -> int | None:
        """Leave nothing of it behind; its exit status."""
        self.process.kill()
        self.process.join()
        self.connection.close()
        self.output.close()
        return self.process.exitcode


class Pool:
    """A context with worker processes that find `modules` imported; `show` is given what they write, line by line."""

    def __init__(self, modules: Sequence[str], show: Callable[[str], None]) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(modules))
        self._show = show
        self._open = selectors.DefaultSelector()
        self._workers: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until all have stopped, each after a checkpoint; a further signal ends the waiting, and them."""
        try:
            for worker in self._workers:
                worker.ask_to_stop()
            while self._workers:
                for _ in self._ended():
                    pass
        finally:
            for worker in self._workers:
                worker.end()
            self._open.close()

    def replies(self, tasks: Sequence[Task], at_once: int) -> Iterator[tuple[Task, Outcome]]:
        """Each task with what became of it, in the order they end."""
        waiting = collections.deque(tasks)
        while waiting or any(worker.task for worker in self._workers):
            for worker in [each for each in self._workers if each.task is None]:
                if waiting:
                    worker.assign(waiting.popleft())
            while waiting and len(self._workers) < at_once:
                self._start().assign(waiting.popleft())
            yield from self._ended()

    def _start(self) -> Worker:
        worker = Worker(self._context)
        self._workers.append(worker)
        self._open.register(worker.connection, selectors.EVENT_READ, worker)
        self._open.register(worker.output, selectors.EVENT_READ, worker)
        return worker

    def _ended(self) -> Iterator[tuple[Task, Outcome]]:
        """Wait until a worker has something to say: runs that have ended; anything else that they write is shown."""
        ready = [(key.data, key.fileobj) for key, _ in self._open.select()]
        for worker, end in ready:
            if end is worker.output:
                self._show_lines(worker)
        for worker, end in ready:
            if end is worker.connection:
                task, reply = worker.task, worker.reply() or self._removed(worker)
                worker.task = None
                if task:
                    yield task, reply

    def _show_lines(self, worker: Worker) -> None:
        lines = worker.lines()
        if lines is None:
            self._open.unregister(worker.output)
        for line in lines or ():
            self._show(f"{worker.task['run_name']}: {line}" if worker.task else line)

    def _removed(self, worker: Worker) -> Outcome:
        """Take a dead worker out; what is to be said of the run that it trained."""
        self._open.unregister(worker.connection)
        while worker.output in self._open.get_map():
            self._show_lines(worker)
        self._workers.remove(worker)
        worker.process.join(_SECONDS_TO_END)
        status = worker.end() or 0
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
        return Outcome(
            what=f"the process that trained it {how}", hint="the machine may be out of memory: give fewer at once (-j)",
            sent=True,
        )  # fmt: skip
