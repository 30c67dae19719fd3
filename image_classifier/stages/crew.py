"""The worker processes of a sweep: each at one run at a time, replaced when it dies, stopped when the sweep is.

They are forked from one process that has imported what a training needs and has done nothing else: torch, scikit-learn
and MLflow take a processor as long to import as a dozen small runs to train, and so this is paid once.
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

from image_classifier.stages.worker import Reply, Task, work

_PIECE = 1 << 16
_SECONDS_TO_END = 10  # after the last word; no worker takes this long


class Worker:
    """One process, the run it is at, and what it has written of its next line."""

    def __init__(self, context: ForkServerContext) -> None:
        self.link, theirs = context.Pipe()
        self.voice, mouth = context.Pipe(duplex=False)
        self.task: Task | None = None
        self._begun = b""
        self.process = context.Process(target=work, args=(theirs, mouth))
        self.process.start()
        theirs.close()
        mouth.close()

    def ask(self, task: Task) -> None:
        """Give it a run to train; that it has died is noticed when its answer is read."""
        self.task = task
        with contextlib.suppress(OSError):
            self.link.send_bytes(json.dumps(task).encode())

    def answer(self) -> Reply | None:
        """Its answer; None when it has died."""
        try:
            return cast("Reply", json.loads(self.link.recv_bytes()))
        except (EOFError, OSError):
            return None

    def lines(self) -> list[str] | None:
        """The lines it has written since; None after the last. For when there is something to read."""
        data = os.read(self.voice.fileno(), _PIECE)
        if not data and not self._begun:
            return None
        *whole, self._begun = (self._begun + (data or b"\n")).split(b"\n")
        return [line.decode(errors="replace") for line in whole if line.strip()]

    def dismiss(self) -> None:
        """Ask it to stop after a checkpoint; one that is at nothing just ends."""
        if self.task:
            self.process.terminate()
        else:
            with contextlib.suppress(OSError):
                self.link.send_bytes(b"")

    def end(self) -> int | None:
        """Leave nothing of it behind; its exit status."""
        self.process.kill()
        self.process.join()
        self.link.close()
        self.voice.close()
        return self.process.exitcode


class Crew:
    """A context with worker processes that find `modules` imported; `say` is told what they write, line by line."""

    def __init__(self, modules: Sequence[str], say: Callable[[str], None]) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(modules))
        self._say = say
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
                worker.dismiss()
            while self._workers:
                for _ in self._heard():
                    pass
        finally:
            for worker in self._workers:
                worker.end()
            self._open.close()

    def replies(self, tasks: Sequence[Task], at_once: int) -> Iterator[tuple[Task, Reply]]:
        """Each task with what became of it, in the order they end."""
        waiting = collections.deque(tasks)
        while waiting or any(worker.task for worker in self._workers):
            for worker in [each for each in self._workers if each.task is None]:
                if waiting:
                    worker.ask(waiting.popleft())
            while waiting and len(self._workers) < at_once:
                self._hire().ask(waiting.popleft())
            yield from self._heard()

    def _hire(self) -> Worker:
        worker = Worker(self._context)
        self._workers.append(worker)
        self._open.register(worker.link, selectors.EVENT_READ, worker)
        self._open.register(worker.voice, selectors.EVENT_READ, worker)
        return worker

    def _heard(self) -> Iterator[tuple[Task, Reply]]:
        """Wait for a word of any worker: runs that have ended; anything else that they write is passed on."""
        ready = [(key.data, key.fileobj) for key, _ in self._open.select()]
        for worker, end in ready:
            if end is worker.voice:
                self._pass_on(worker)
        for worker, end in ready:
            if end is worker.link:
                task, reply = worker.task, worker.answer() or self._bury(worker)
                worker.task = None
                if task:
                    yield task, reply

    def _pass_on(self, worker: Worker) -> None:
        lines = worker.lines()
        if lines is None:
            self._open.unregister(worker.voice)
        for line in lines or ():
            self._say(f"{worker.task['run_name']}: {line}" if worker.task else line)

    def _bury(self, worker: Worker) -> Reply:
        """What is to be said of a run whose process has died."""
        self._open.unregister(worker.link)
        while worker.voice in self._open.get_map():
            self._pass_on(worker)
        self._workers.remove(worker)
        worker.process.join(_SECONDS_TO_END)
        status = worker.end() or 0
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
        return Reply(
            what=f"the process that trained it {how}", hint="the machine may be out of memory: give fewer at once (-j)",
            sent=True,
        )  # fmt: skip
