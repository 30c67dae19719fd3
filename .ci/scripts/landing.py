"""Bring what a pipeline left for Git onto the branch that its tag is on, whoever else pushes meanwhile."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from package import UserError
from step import plain

KEPT = Path(".dvc/tmp/results.json")  # DVC's own folder for what Git need not know
MOST_BYTES = 1_000_000  # of one file; larger ones belong to DVC
_MOST_FILES = 500
_FOLDERS = r"examples/(?:[A-Za-z0-9][\w.-]*/)+"
_FILE = re.compile(rf"{_FOLDERS}(?:dvc\.lock|\.gitignore|[A-Za-z0-9][\w.-]*\.(?:json|csv|tsv|md|png|svg))", re.ASCII)
_ATTEMPTS = 10


class Repository(Protocol):
    """A clone and its remote, in the few words that a landing needs; commits are named by their ids."""

    def message(self, commit: str) -> str:
        """What the commit says."""

    def branches(self, commit: str) -> Mapping[str, str]:
        """The remote's branches that contain the commit, asked now, and where each of them ends."""

    def content(self, commit: str, path: str) -> bytes | None:
        """A file of the commit."""

    def commit(self, parent: str, files: Mapping[str, bytes], message: str) -> str:
        """A new commit: its parent with these files put into it."""

    def push(self, commit: str, branch: str, expected: str | None) -> str:
        """Empty if the branch now ends there, else why not; `expected` is where it must have ended before."""


@dataclass(frozen=True)
class Results:
    """The files for Git, by their path in the repository."""

    files: Mapping[str, bytes]

    @classmethod
    def of(cls, paths: Sequence[str]) -> "Results":
        """The files as they are on disk; a link is followed nowhere."""
        return cls.checked({path: Path(path).read_bytes() for path in paths if not Path(path).is_symlink()})

    @classmethod
    def read(cls, text: bytes) -> "Results":
        """What `keep` wrote, checked: it may have come from elsewhere."""
        try:
            files = {str(path): base64.b64decode(content, validate=True) for path, content in json.loads(text).items()}
        except (ValueError, AttributeError, TypeError) as error:
            raise UserError(f"the results cannot be read: {error}", "run the pipelines again") from error
        return cls.checked(files)

    @classmethod
    def checked(cls, files: Mapping[str, bytes]) -> "Results":
        """Only what a pipeline may leave: no code, no pipeline, no setting."""
        if len(files) > _MOST_FILES:
            raise UserError(f"the pipelines leave {len(files)} files for Git", "let DVC cache them")
        for path, content in files.items():
            if not _FILE.fullmatch(path) or ".." in path:
                raise UserError(f"{path!r} is nothing that a pipeline may commit", "let DVC cache it (cache: true)")
            if len(content) > MOST_BYTES:
                raise UserError(f"{path} has {len(content)} bytes", "let DVC cache it (cache: true)")
        return cls(dict(files))

    @staticmethod
    def forget() -> None:
        """Remove what an earlier run left."""
        KEPT.unlink(missing_ok=True)

    def keep(self) -> None:
        """Leave the files where the orchestrator looks for them."""
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        text = {path: base64.b64encode(content).decode() for path, content in self.files.items()}
        KEPT.write_text(json.dumps(text), encoding="utf-8")


def home(branches: Mapping[str, str], commit: str, default: str) -> str:
    """The branch a tagged commit belongs to: the default one if it has it, else the only one, or one ending there."""
    ending = [name for name, tip in branches.items() if tip == commit]
    for candidates in ([name for name in branches if name == default], list(branches), ending):
        if len(candidates) == 1:
            return candidates[0]
    if not branches:
        raise UserError("no branch contains the tagged commit", "push the branch before the tag")
    named = ", ".join(sorted(branches)[:5])
    raise UserError(f"{len(branches)} branches contain the tagged commit: {named}", "tag where one branch ends")


@dataclass(frozen=True)
class Landing:
    """From `commit`, on whose files the results rest, to the end of `branch`, or to `aside` where that cannot be."""

    repository: Repository
    commit: str
    branch: str
    aside: str

    def put(self, results: Results) -> str:
        """What became of the results, in words; whoever pushes meanwhile loses nothing, and neither do we."""
        for _ in range(_ATTEMPTS):
            tip = self._tip()
            new = {path: each for path, each in results.files.items() if self._content(tip, path) != each}
            if not new:
                return f"{plain(self.branch)} has these results already"
            if any(self._content(tip, path) != self._content(self.commit, path) for path in new):
                return self._put_aside(new)
            made = self.repository.commit(tip, new, self._message())
            refused = self.repository.push(made, self.branch, tip)
            if not refused:
                return f"{plain(self.branch)} now ends with {made}: {', '.join(sorted(new))}"
            if self._tip() == tip:
                raise UserError(f"{self.branch} was not pushed: {refused}", "may this job write to the branch?")
        raise UserError(f"{self.branch} moved on {_ATTEMPTS} times while results were pushed", "run this again")

    def _put_aside(self, new: Mapping[str, bytes]) -> str:
        """Somebody else changed the same files: a person has to say which of them stay."""
        made = self.repository.commit(self.commit, new, self._message())
        if refused := self.repository.push(made, self.aside, None):
            what = f"{self.branch} has other results for these files, and {self.aside} was not pushed: {refused}"
            raise UserError(what, "is that branch there already? merge or delete it, and run this again")
        return f"{plain(self.branch)} has other results for these files: these are on {plain(self.aside)}, to be merged"

    def _tip(self) -> str:
        tip = self.repository.branches(self.commit).get(self.branch)
        if tip is None:
            raise UserError(f"{self.branch} does not contain the commit any more", "was it rewritten? tag again")
        return tip

    def _content(self, commit: str, path: str) -> bytes | None:
        return self.repository.content(commit, path)

    def _message(self) -> str:
        return f"{self.repository.message(self.commit).rstrip()}-results"
