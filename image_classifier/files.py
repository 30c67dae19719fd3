"""The only place that writes: a reader sees the old file or the new one, never half of one."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from image_classifier.errors import UserError

_NO_SUCH_PLACE = (
    errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ENOENT, errno.ELOOP, errno.EIO, errno.ENXIO,
)  # fmt: skip


def canonical_json(value: Any) -> str:
    """One text per value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_bytes(data: bytes) -> str:
    """The sha256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """The sha256 of a file's bytes in hexadecimal, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the disk's refusals into errors that name the path and say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise UserError(f"no space left while writing {path}", "free disk space and run again") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(
                f"{path} cannot be written: {error.strerror}", "choose a folder you may write to"
            ) from error
        if error.errno in _NO_SUCH_PLACE:
            raise UserError(f"{path} cannot be written: {error.strerror}", "choose another path") from error
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one step that survives a crash at any moment."""
    with disk_errors(path):
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is no regular file", "choose another path")
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fchmod(stream.fileno(), 0o666 & ~_umask())
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in UTF-8, atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by readable JSON with a stable order, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file; a missing or broken one is a `UserError` that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error


def readable(folder: Path) -> Path:
    """The folder, if it may be looked into; in one that is closed, pathlib's glob finds nothing and says nothing."""
    if os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
        return folder
    raise UserError(f"{folder} cannot be read: Permission denied", "ask its owner for the right to read it")


def folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name."""
    return sorted(path for path in readable(folder).iterdir() if path.is_dir())


def _umask() -> int:
    # The mask can only be read by setting it; /proc shows it without the race between threads.
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o022


@contextlib.contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """A temporary folder beside `final`, renamed to it when the block ends well and removed when it does not.

    If `final` has come to exist in the meantime (another process was faster), that one is kept.
    """
    with disk_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".tmp", dir=final.parent))
        try:
            yield temporary
            for path in sorted(temporary.rglob("*")):
                if path.is_file():
                    with path.open("rb") as stream:
                        os.fsync(stream.fileno())
            temporary.chmod(0o777 & ~_umask())
            try:
                temporary.rename(final)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
            _sync_folder(final.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def scratch_folder(beside: Path | None = None, prefix: str = "image_classifier.", suffix: str = "") -> Iterator[Path]:
    """A folder for intermediate data, removed at the end; in the system's place for such, or in the folder `beside`."""
    with tempfile.TemporaryDirectory(prefix=prefix, suffix=suffix, dir=beside) as name:
        yield Path(name)


@contextlib.contextmanager
def create(path: Path) -> Iterator[BinaryIO]:
    """A new file to write, for content too large to hold; it must not exist. For use inside `new_folder`."""
    with disk_errors(path), path.open("xb") as stream:
        yield stream


def make_read_only(path: Path) -> None:
    """Set mode 0444: what others have mapped must not change under them."""
    path.chmod(0o444)


def user_cache() -> Path:
    """The user's cache folder for this program."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(base).expanduser() / "image_classifier"
    except RuntimeError as error:  # a user without a home, as in a container
        raise UserError(
            "there is no home folder to keep prepared stores in", "give --cache_folder, or set HOME"
        ) from error


def make_folder(folder: Path) -> None:
    """Make a folder and its parents if they are not there."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def move(source: Path, target: Path) -> None:
    """Put `source` in the place of `target`, in one step."""
    with disk_errors(target):
        source.replace(target)


def clear_temporaries(folder: Path) -> None:
    """Remove what a killed writer left; only for whoever holds the folder's lock."""
    for path in folder.glob(".*.tmp"):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file if it is there."""
    with disk_errors(path):
        path.unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Remove a folder or a file at once for all who look for it by its name; who has its files open keeps them."""
    with disk_errors(path):
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        path.rename(aside)
        # What stays is unlocked and called like what a killed writer left.
        shutil.rmtree(aside, ignore_errors=True)


_held: set[tuple[int, int, int]] = set()  # the locks of this process: thread, device, inode


@contextlib.contextmanager
def lock(folder: Path, busy: str | None = None) -> Iterator[os.stat_result]:
    """Hold the folder's lock; a second holder gets a `UserError` that says `busy`, or waits where nothing is to say.

    Who would wait for a lock that the same thread holds has it already. The kernel releases it when the process ends,
    however it ends. What is given is which folder it was when the lock was taken.
    """
    make_folder(folder)
    with disk_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    about = os.fstat(descriptor)
    own = (threading.get_ident(), about.st_dev, about.st_ino)
    try:
        if own in _held and not busy:
            yield about
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError as error:
            raise UserError(str(busy), "wait for the other process to end, or choose another name") from error
        _held.add(own)
        try:
            yield about
        finally:
            _held.discard(own)
    finally:
        os.close(descriptor)
