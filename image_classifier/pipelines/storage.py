"""Where the pipeline keeps its files: areas below a root that is a folder or a bucket, by the same calls."""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import fsspec

from image_classifier import files
from image_classifier.errors import UserError, one_line

DOMAINS = ("kubeflow", "playground", "test_data")
INPUT, TMP, OUTPUTS = "pipeline_input", "pipeline_tmp", "pipeline_outputs"
MANIFEST = "_MANIFEST.json"
# Extraction's and the manifest's names begin with an underscore; a run's, a scope's and a use case's do not.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LONGEST = 300  # characters of a foreign error
_REACHED = "check the root, the credentials (AWS_*) and AWS_ENDPOINT_URL"


class Storage:
    """The areas of one domain below a root; a path is a text that begins with the root."""

    def __init__(self, root: str, domain: str) -> None:
        if domain not in DOMAINS:
            raise UserError(f"domain {domain!r} is none of {', '.join(DOMAINS)}", "choose one of them")
        self.root = _checked_root(root)
        self.domain = domain
        with _refusals(self.root):
            # A kept one would have the server and the credentials of an earlier environment.
            self._fs, _ = fsspec.core.url_to_fs(self.root, skip_instance_cache=True)
        self._local = "://" not in self.root

    def path(self, area: str, *names: str) -> str:
        """The path of what is kept under these names in an area; what is no plain name is refused."""
        for name in names:
            if not _NAME.fullmatch(name):
                raise UserError(f"{name!r} is no name that can be stored", "use letters, digits, dots and dashes")
        return "/".join((self.root, self.domain, area, *names))

    def inside(self, path: str, area: str, *names: str) -> str:
        """The path, if it lies under these names in an area: a step is handed paths by another step only."""
        begin = self.path(area, *names)
        if path != begin and not path.startswith(begin + "/"):
            raise UserError(f"{path!r} is not in {begin}", "give the path that an earlier step of this run printed")
        if any(not _NAME.fullmatch(part) for part in path[len(begin) :].split("/")[1:]):
            raise UserError(f"{path!r} is no path of the pipeline's", "give the path that an earlier step printed")
        return path

    def listed(self, path: str) -> dict[str, int]:
        """The files below a path by their relative names, with their sizes; nothing where nothing is."""
        with _refusals(path):
            self._fs.invalidate_cache()
            found = self._fs.find(path, detail=True)
        start = len(self._fs._strip_protocol(path)) + 1  # noqa: SLF001  (fsspec has no public name for it)
        return {name[start:]: int(about["size"]) for name, about in sorted(found.items()) if name[start:]}

    def names(self, path: str) -> list[str]:
        """The first parts of the names below a path, in order."""
        return sorted({name.partition("/")[0] for name in self.listed(path)})

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[BinaryIO]:
        """A file to read parts of, which is not fetched as a whole."""
        with _refusals(path), self._fs.open(path, "rb") as stream:
            yield stream

    def read(self, path: str) -> bytes | None:
        """What a small file holds, or `None` where there is none."""
        with _refusals(path):
            try:
                return bytes(self._fs.cat_file(path))
            except FileNotFoundError:
                return None

    def read_json(self, path: str) -> Any:
        """The value in a file of JSON, or `None` where there is none."""
        data = self.read(path)
        try:
            return None if data is None else json.loads(data)
        except ValueError as error:
            raise UserError(f"{path} is not valid JSON: {one_line(error, _LONGEST)}", "run the step again") from error

    def write(self, path: str, data: bytes) -> None:
        """Replace one small file in one step: S3 does so by itself, a folder's reader could see half of it."""
        if self._local:
            files.write_bytes(Path(path), data)
            return
        with _refusals(path):
            self._fs.pipe_file(path, data)

    def write_json(self, path: str, value: Any) -> None:
        """Replace one file by JSON."""
        self.write(path, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())

    def put(self, folder: Path, path: str, copies: Sequence[tuple[str, str]] = ()) -> None:
        """Store a folder's files under a path, and beside them copies: pairs of what is complete and a name for it.

        The manifest comes last, so that a path with one is complete.
        """
        found = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
        digests = {name: files.digest_file(file) for name, file in found.items()}
        stored = {
            f"{name}/{inner}": (f"{source}/{inner}", digest)
            for source, name in copies
            for inner, digest in self.manifest(source).items()
        }
        with self._replacing(path, digests | {name: digest for name, (_, digest) in stored.items()}):
            for name, file in found.items():
                self._fs.put_file(str(file), self._ready(f"{path}/{name}"))
            for name, (source, _) in stored.items():
                self._fs.cp_file(source, self._ready(f"{path}/{name}"))

    def _ready(self, path: str) -> str:
        """The path of a file, whose folder is there; a bucket has none."""
        if self._local:
            files.make_folder(Path(path).parent)
        return path

    @contextlib.contextmanager
    def _replacing(self, path: str, digests: Mapping[str, str]) -> Iterator[None]:
        """Take away what was there, its manifest first, and write the manifest of what the block stores."""
        self.remove(path)
        with _refusals(path):
            yield
        self.write_json(f"{path}/{MANIFEST}", dict(digests))

    def manifest(self, path: str) -> dict[str, str]:
        """The digests of the files under a path; one that is not complete is refused."""
        found = self.read_json(f"{path}/{MANIFEST}")
        if not isinstance(found, dict):
            raise UserError(f"{path} is not complete: it has no {MANIFEST}", "run the step again that writes it")
        for name in found:
            refuse_climbing(name, path)
        return found

    def get(self, path: str, folder: Path) -> Path:
        """What `put` stored under a path, in a folder here, each file as its digest says."""
        for name, digest in self.manifest(path).items():
            target = self._fetched(f"{path}/{name}", folder / name)
            if files.digest_file(target) != digest:
                raise UserError(f"{path}/{name} is not what was stored", "run the step again that writes it")
        return folder

    def get_listed(self, path: str, folder: Path) -> Path:
        """All files below a path, in a folder here: for data that others have put there, without a manifest."""
        for name in self.listed(path):
            refuse_climbing(name, path)
            self._fetched(f"{path}/{name}", folder / name)
        return folder

    def _fetched(self, path: str, target: Path) -> Path:
        files.make_folder(target.parent)
        with _refusals(path):
            self._fs.get_file(path, str(target))
        return target

    def remove(self, path: str) -> None:
        """Delete all below a path; its manifest goes first, so that nobody takes the rest for complete."""
        with _refusals(path):
            for each in (f"{path}/{MANIFEST}", path):
                with contextlib.suppress(FileNotFoundError):
                    self._fs.rm(each, recursive=each == path)


def refuse_climbing(name: str, where: str) -> None:
    """Refuse a file's relative name that leads out of the folder that it is put into."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise UserError(f"{where} holds a file with the name {name!r}, which leads elsewhere", "rename or remove it")


def _checked_root(root: str) -> str:
    if re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_][A-Za-z0-9._=-]*)*/?", root):
        return root.rstrip("/")
    if "://" in root or not root.strip():
        raise UserError(f"root {root!r} is no place for the pipeline's files", "give a folder or s3://bucket/prefix")
    return str(Path(root).expanduser().resolve())


@contextlib.contextmanager
def _refusals(path: str) -> Iterator[None]:
    """Turn a refusal of the disk or the bucket into an error that names the path."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # botocore's errors share no base with OSError; by the module, so that a folder needs no import of it.
        if not isinstance(error, OSError | ImportError) and not type(error).__module__.startswith(_FOREIGN):
            raise
        raise UserError(f"{path} cannot be reached: {one_line(error, _LONGEST)}", _REACHED) from error


_FOREIGN = ("botocore", "aiobotocore", "aiohttp", "s3fs")
