"""Decoding on every CPU: a few decoder processes, one question and one answer at a time each.

Plain subprocesses and not `multiprocessing`: its spawned children run the caller's script again, and outlive a parent
that is killed.
"""

import itertools
import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TextIO, cast

from image_classifier.cpus import available_cpus
from image_classifier.data.decoding import Chunk, Decoded, decode
from image_classifier.data.examples import shown
from image_classifier.errors import UserError

# Below this a second process costs more than it saves (it takes 0.1 s to start).
SMALL_BYTES = 4_000_000

Decoder = subprocess.Popen[str]


def decoded(chunks: Iterable[Chunk], total_bytes: int) -> Iterator[Decoded]:
    """The chunks' replies in the order they finish, decoded on all CPUs this process may use."""
    rest = iter(chunks)
    first = list(itertools.islice(rest, available_cpus()))
    waiting = itertools.chain(first, rest)
    if total_bytes < SMALL_BYTES or len(first) < 2:
        yield from map(decode, waiting)
        return
    with _decoders(len(first)) as decoders, selectors.DefaultSelector() as ready:
        asked: dict[Decoder, Chunk] = {}
        for decoder, chunk in zip(decoders, waiting, strict=False):
            ready.register(cast("TextIO", decoder.stdout), selectors.EVENT_READ, decoder)
            _ask(decoder, chunk, asked)
        while asked:
            for event, _ in ready.select():
                decoder = event.data
                yield _answer(decoder, asked.pop(decoder))
                following = next(waiting, None)
                if following is not None:
                    _ask(decoder, following, asked)


@contextmanager
def _decoders(count: int) -> Iterator[list[Decoder]]:
    # The same modules as here, wherever they come from; its own session, so that Ctrl-C reaches only the parent.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "image_classifier.data.decoding"]
    with ExitStack() as stack:
        decoders: list[Decoder] = []
        for _ in range(count):
            decoder = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="ascii",
                env=environment,
                start_new_session=True,
            )
            stack.callback(_end, decoder)
            decoders.append(decoder)
        yield decoders


def _end(decoder: Decoder) -> None:
    decoder.kill()
    decoder.wait()
    for stream in (decoder.stdin, decoder.stdout):
        # A question that a dead decoder never read is still in the buffer.
        with suppress(BrokenPipeError):
            cast("TextIO", stream).close()


def _ask(decoder: Decoder, chunk: Chunk, asked: dict[Decoder, Chunk]) -> None:
    asked[decoder] = chunk
    try:
        print(json.dumps(chunk), file=decoder.stdin, flush=True)
    except BrokenPipeError:
        # It has died; reading its answer finds that out and says on what.
        return


def _answer(decoder: Decoder, chunk: Chunk) -> Decoded:
    line = cast("TextIO", decoder.stdout).readline()
    if not line.endswith("\n"):
        first, last = shown(chunk["images"][0].called), shown(chunk["images"][-1].called)
        raise UserError(
            f"the process that decodes images ended (exit status {decoder.wait()}) between {first} and {last}",
            "the machine may be out of memory, or one of these files crashes the decoder: move them away and run again",
        )
    answer: Decoded = json.loads(line)
    return answer
