"""Unpack the zip of one run folder: `experiment/run/file` and nothing else."""

import os
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path

from package import UserError, names

MOST_BYTES = 8 << 30
_MOST_FILES = 200
_SMALL = 64 << 20  # below, no ratio is suspicious
_MOST_RATIO = 50  # a run's tensors and pictures hardly shrink
_FILE = re.compile(rf"({names.RUN_NAME.pattern})/({names.RUN_NAME.pattern})/([A-Za-z0-9][A-Za-z0-9._-]{{0,127}})")
_HINT = "only an artifact that training.yaml uploaded is accepted"


def unpack(archive: Path, target: Path) -> str:
    """`experiment/run` of the run that now lies below `target`, which must be new; nothing is left after a refusal."""
    if os.path.lexists(target):
        raise UserError(f"{target} is there already", "nothing is ever overwritten; remove it first")
    try:
        with zipfile.ZipFile(archive) as source:
            members, run_folder = _checked(source, archive.stat().st_size)
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpacking-") as scratch:
                built = Path(scratch, "built")
                for member in members:
                    _write(source, member, built)
                built.rename(target)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(
            f"the artifact is no sound zip: {error}", "run the job again; if it stays, train again"
        ) from error
    return run_folder


def _checked(source: zipfile.ZipFile, packed: int) -> tuple[list[zipfile.ZipInfo], str]:
    members = source.infolist()
    if not members or len(members) > _MOST_FILES:
        raise UserError(f"the artifact has {len(members)} files", _HINT)
    size = sum(member.file_size for member in members)
    if size > MOST_BYTES or size > max(_SMALL, _MOST_RATIO * packed):
        raise UserError(f"the artifact's {packed} bytes would become {size}", _HINT)
    folders, written = set(), set()
    for member in members:
        match = _FILE.fullmatch(member.orig_filename)
        if not match:
            raise UserError(f"the artifact holds {member.orig_filename!r}", _HINT)
        # Some writers of zips give permissions only.
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
            raise UserError(f"{member.filename!r} in the artifact is no regular file", _HINT)
        folders.add(f"{match[1]}/{match[2]}")
        written.add(member.filename.lower())
    if len(written) != len(members):
        raise UserError("the artifact holds a file twice", _HINT)
    if len(folders) != 1:
        raise UserError(f"the artifact holds {len(folders)} runs: {', '.join(sorted(folders)[:4])}", _HINT)
    return members, folders.pop()


def _write(source: zipfile.ZipFile, member: zipfile.ZipInfo, below: Path) -> None:
    path = below / member.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    with source.open(member) as content, path.open("xb") as stream:
        shutil.copyfileobj(content, stream)
