"""What is noted of the copies that were pulled: a line for each that is whole, and for each part of a large one."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from image_classifier import files


class Kept(NamedTuple):
    """What is known of an object's copy."""

    size: int
    version: str | None
    md5: str


class Journal:
    """The lines in one file, to which one is added as soon as what it says is true."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def read(self) -> tuple[dict[str, Kept], dict[str, set[int]]]:
        """The whole objects by name, and the numbers of others' parts by the name of the file that has them."""
        kept: dict[str, Kept] = {}
        parts: dict[str, set[int]] = {}
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as stream:
            for line in stream:
                try:
                    name, *about = json.loads(line)
                    if len(about) == 1:
                        number = int(about[0])
                        parts.setdefault(str(name), set()).add(number)
                    else:
                        kept[str(name)] = Kept(*about)
                except (ValueError, TypeError):
                    continue  # cut off by a kill
        return kept, parts

    def write(self, kept: Mapping[str, Kept], parts: Mapping[str, Iterable[int]]) -> None:
        """Begin anew with these lines."""
        lines = [_line(name, *each) for name, each in kept.items()]
        lines += [_line(name, number) for name, numbers in parts.items() for number in sorted(numbers)]
        files.write_text(self._path, "".join(lines))

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Within, lines may be added."""
        with files.disk_errors(self._path), self._path.open("ab", buffering=0) as self._stream:
            yield

    def add(self, name: str, *about: Any) -> None:
        """Note an object that is whole, or the number of a part."""
        if self._stream:
            self._stream.write(_line(name, *about).encode())


def _line(*values: Any) -> str:
    return json.dumps(values, separators=(",", ":")) + "\n"
