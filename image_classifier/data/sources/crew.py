"""Threads that do many small tasks which mostly wait for a server."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def each_done(work: Callable[[Task], Result], tasks: Iterable[Task], threads: int) -> Iterator[tuple[Task, Result]]:
    """Each task with its result, as they are done; the first error ends all.

    Tasks are taken from the iterator one by one. The threads are none that the process waits for at its end: one that
    a server keeps waiting must not hold up a Ctrl-C.
    """
    waiting, turn, stopped = iter(tasks), threading.Lock(), threading.Event()
    done: queue.SimpleQueue[tuple[Task, Result] | BaseException | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            while not stopped.is_set():
                with turn:
                    task = next(waiting, done)
                if task is done:
                    break
                done.put((task, work(task)))  # type: ignore[arg-type]
            done.put(None)
        except BaseException as error:  # noqa: BLE001  (it is raised where the results are read)
            done.put(error)

    for _ in range(threads):
        threading.Thread(target=run, daemon=True, name="pulling").start()
    try:
        while threads:
            result = done.get()
            if result is None:
                threads -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result
    finally:
        stopped.set()
