"""A clone as landing.py wants it, by dulwich, which comes with DVC: for the image, which has no git."""

import netrc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dulwich.client import HTTPProxyUnauthorized, HTTPUnauthorized, get_transport_and_path
from dulwich.errors import GitProtocolError, NotGitRepository
from dulwich.graph import can_fast_forward
from dulwich.object_store import commit_tree_changes, tree_lookup_path
from dulwich.objects import Blob, Commit, ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo
from package import UserError
from urllib3.exceptions import HTTPError

_HEADS = b"refs/heads/"
_REGULAR = 0o100644
_WHO = b"Drone <drone@localhost>"
_TROUBLE = (GitProtocolError, NotGitRepository, HTTPUnauthorized, HTTPProxyUnauthorized, HTTPError, OSError)


class DulwichRepository:
    """The repository of the current folder and its remote origin; ~/.netrc says who asks, as Drone leaves it."""

    def __init__(self) -> None:
        self._repo = Repo(".")
        self._url = self._repo.get_config().get((b"remote", b"origin"), b"url").decode()

    def head(self) -> str:
        """The commit that is checked out."""
        return self._repo.head().decode()

    def message(self, commit: str) -> str:
        """What the commit says."""
        return str(self._commit(commit).message.decode(errors="replace"))

    def branches(self, commit: str) -> Mapping[str, str]:
        """The remote's branches that contain the commit, and where each of them ends."""
        with self._remote("read") as (client, path):
            refs = client.fetch(path, self._repo, determine_wants=self._missing_heads).refs
        heads = {name[len(_HEADS) :].decode(): tip for name, tip in refs.items() if name.startswith(_HEADS) and tip}
        return {name: tip.decode() for name, tip in heads.items() if can_fast_forward(self._repo, _id(commit), tip)}

    def content(self, commit: str, path: str) -> bytes | None:
        """A file of the commit."""
        try:
            _, found = tree_lookup_path(self._repo.__getitem__, self._commit(commit).tree, path.encode())
        except KeyError:
            return None
        blob = self._repo[found]
        return blob.data if isinstance(blob, Blob) else None

    def commit(self, parent: str, files: Mapping[str, bytes], message: str) -> str:
        """A new commit: its parent with these files put into it."""
        blobs = {path.encode(): Blob.from_string(content) for path, content in files.items()}
        store = self._repo.object_store
        for blob in blobs.values():
            store.add_object(blob)
        made = Commit()
        changes = [(path, _REGULAR, blob.id) for path, blob in blobs.items()]
        made.tree = commit_tree_changes(store, self._commit(parent).tree, changes)
        made.parents = [_id(parent)]
        made.author = made.committer = _WHO
        made.author_time = made.commit_time = int(time.time())
        made.author_timezone = made.commit_timezone = 0
        made.message = f"{message}\n".encode()
        store.add_object(made)
        return made.id.decode()

    def push(self, commit: str, branch: str, expected: str | None) -> str:
        """Empty if the branch now ends there, else why not."""
        name = Ref(_HEADS + branch.encode())

        def update(refs: Mapping[Ref, ObjectID]) -> dict[Ref, ObjectID]:
            return {name: _id(commit)} if refs.get(name) == (_id(expected) if expected else None) else {}

        with self._remote("write to") as (client, path):
            status = client.send_pack(path, update, self._repo.generate_pack_data).ref_status or {}
        with self._remote("read") as (client, path):
            ends = client.get_refs(path).refs.get(name)
        return "" if ends == _id(commit) else str(status.get(name) or "it ends elsewhere by now")

    def _commit(self, commit: str) -> Commit:
        found = self._repo[_id(commit)]
        if not isinstance(found, Commit):
            raise UserError(f"{commit} is no commit", "is the clone complete?")
        return found

    def _missing_heads(self, refs: Mapping[Ref, ObjectID], *_: object, **__: object) -> list[ObjectID]:
        return [tip for name, tip in refs.items() if name.startswith(_HEADS) and tip not in self._repo.object_store]

    @contextmanager
    def _remote(self, what: str) -> Iterator[tuple[Any, str]]:
        name, password = _login(self._url)
        try:
            config = self._repo.get_config_stack()
            yield get_transport_and_path(self._url, config=config, username=name, password=password)
        except _TROUBLE as error:
            said = f"this step could not {what} the remote: {type(error).__name__} {error}"
            raise UserError(said, "Drone leaves a login in ~/.netrc for private repositories only") from error


def _id(commit: str) -> ObjectID:
    return ObjectID(commit.encode())


def _login(url: str) -> tuple[str | None, str | None]:
    """What ~/.netrc has for the remote's host."""
    file, host = Path.home() / ".netrc", urlsplit(url).hostname
    found = netrc.netrc(file).authenticators(host) if host and file.is_file() else None
    return (found[0], found[2]) if found else (None, None)
