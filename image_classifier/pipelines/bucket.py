"""An extraction from or to s3:// without a cluster: Spark works on this disk, what it reads and writes is copied.

Spark's own connector (s3a://) needs Java archives that a cluster's engine brings; a laptop and a container have fsspec.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from image_classifier import files
from image_classifier.errors import UserError, one_line
from image_classifier.pipelines.extraction_request import REPORT, Request, refuse_extracted
from image_classifier.pipelines.hadoop import SUCCESS

_SCHEME = "s3://"
_LONGEST = 300  # characters of a foreign error


@contextlib.contextmanager
def on_this_disk(request: Request) -> Iterator[Request]:
    """The request with folders here in the place of buckets; at the end what was written is put into the bucket."""
    with files.scratch_folder() as folder:
        here = request
        if request.source.startswith(_SCHEME):
            _fetch(request.source, folder / "source")
            here = dataclasses.replace(here, source=str(folder / "source"))
        if not request.output.startswith(_SCHEME):
            yield here
            return
        output = folder / "output"
        with _refusals(request.output):
            store = _store()
            there = [each for each in request.scopes if store.exists(f"{request.output}/{each}/{SUCCESS}")]
        refuse_extracted(request, there)
        yield dataclasses.replace(here, output=str(output))
        with _refusals(request.output):
            for scope in request.scopes:
                _put(store, output / scope, f"{request.output}/{scope}")
            store.put_file(str(output / REPORT), f"{request.output}/{REPORT}")


def _store() -> Any:
    import fsspec  # noqa: PLC0415  (a cluster's engine lacks it, and needs it not)

    return fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)


def _fetch(source: str, folder: Path) -> None:
    with _refusals(source):
        store = _store()
        names = [name for name in store.find(source) if name.endswith(".parquet")]
        files.make_folder(folder)
        for number, name in enumerate(names):
            store.get_file(name, str(folder / f"{number:05}.parquet"))
    if not names:
        raise UserError(f"{source} cannot be read: there are no Parquet files", "check --source")


def _put(store: Any, folder: Path, target: str) -> None:
    """Replace a scope; the mark that it is complete goes first and comes last."""
    for name in (f"{target}/{SUCCESS}", target):
        if store.exists(name):
            store.rm(name, recursive=name == target)
    for path in sorted(folder.iterdir(), key=lambda path: path.name == SUCCESS):
        store.put_file(str(path), f"{target}/{path.name}")


@contextlib.contextmanager
def _refusals(where: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # By the module: botocore's errors share no base with OSError.
        if not isinstance(error, OSError | ImportError) and not type(error).__module__.startswith(_FOREIGN):
            raise
        what = f"{where} cannot be reached: {one_line(error, _LONGEST)}"
        raise UserError(what, "check the address, the credentials (AWS_*) and AWS_ENDPOINT_URL") from error


_FOREIGN = ("botocore", "aiobotocore", "aiohttp", "s3fs")
