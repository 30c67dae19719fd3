"""Results computed ahead by threads, in the order of their arguments."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def prefetched(
    function: Callable[[Argument], Result], arguments: Iterable[Argument], threads: int
) -> Generator[Result, None, None]:
    """`map`, computed up to `threads` + 1 results ahead; leaving early leaves no thread behind."""
    if threads == 0:
        yield from map(function, arguments)
        return
    ahead: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="prefetch") as pool:
        try:
            for argument in arguments:
                ahead.append(pool.submit(function, argument))
                if len(ahead) > threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
