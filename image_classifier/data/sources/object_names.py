"""The names of objects in a bucket as paths of files: markers left out, and what cannot be a path refused."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from image_classifier.data.examples import shown
from image_classifier.data.sources.attempts import RefusedError
from image_classifier.data.sources.folder import ignored

_SHOWN = 8
_LONGEST_PART = 255  # bytes, on the file systems of Linux
_LONGEST = 3000  # bytes; a path may have 4096 with the folder above it
_HADOOP_MARK = "_$folder$"  # what older Hadoop writes for a folder
_HINT = "rename or remove them; what is pulled becomes files with these names"


class Remote(NamedTuple):
    """An object: its path in the bucket, or below an address; its size; what tells one content from another."""

    path: str
    size: int
    version: str | None


def files_of(found: Iterable[Remote], where: str) -> tuple[Remote, ...]:
    """The objects that become files, by name; a name that no file below a folder can have is refused.

    Left out are marks of folders, and what a folder of images leaves out (hidden files and the litter of desktops).
    """
    kept, wrong = {}, []
    for each in found:
        if is_mark(each):
            continue
        fault = name_fault(each.path)
        if fault:
            wrong.append(f"'{shown(each.path)}' {fault}")
        elif not any(ignored(part) for part in each.path.split("/")):
            kept[each.path] = each
    wrong += [f"'{shown(name)}' is an object and a folder of objects" for name in _both(kept)]
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise RefusedError(f"{where} has objects that cannot become files: {'; '.join(wrong[:_SHOWN])}{more}", _HINT)
    return tuple(kept[name] for name in sorted(kept))


def is_mark(found: Remote) -> bool:
    """Whether it has no content and only says that there is a folder, by a slash at the end or as Hadoop does."""
    return found.size == 0 and (not found.path or found.path.endswith(("/", _HADOOP_MARK)))


def name_fault(name: str) -> str | None:
    """Why an object's name can be no path of a file below a folder; None if it can."""
    parts = name.split("/")
    if name.endswith("/"):
        return "ends in a slash, and has content"
    if "" in parts:
        return "has an empty part between slashes"
    if "." in parts or ".." in parts:
        return "leads elsewhere"
    if "\0" in name:
        return "holds a zero byte"
    if max(map(_bytes, parts)) > _LONGEST_PART or _bytes(name) > _LONGEST:
        return "is too long for a file's name"
    return None


def _bytes(name: str) -> int:
    return len(name.encode("utf-8", "surrogateescape"))


def _both(names: dict[str, Remote]) -> Iterator[str]:
    """The names that are the beginning of others', up to a slash."""
    folders = set()
    for name in names:
        while name := name.rpartition("/")[0]:
            if name in folders:
                break
            folders.add(name)
    yield from sorted(folders & names.keys())
