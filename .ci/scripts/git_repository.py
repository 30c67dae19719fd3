"""A clone as landing.py wants it, by the program git: for GitHub's machines."""

import os
import subprocess
from collections.abc import Mapping

from git_client import BOT, environment, git
from landing import home
from package import UserError
from step import temporary, variable

_HINT = "check that the job may read the repository"
_REMOTE = "refs/remotes/origin/"


class GitRepository:
    """The repository of the current folder and its remote origin."""

    def message(self, commit: str) -> str:
        """What the commit says."""
        return git("show", "--no-patch", "--format=%B", commit, hint=_HINT)

    def branches(self, commit: str) -> Mapping[str, str]:
        """The remote's branches that contain the commit, and where each of them ends."""
        git("fetch", "--quiet", "--prune", "--no-tags", "origin", f"+refs/heads/*:{_REMOTE}*", hint=_HINT)
        wanted = ("for-each-ref", "--contains", commit, "--format=%(objectname) %(refname)", _REMOTE)
        rows = (line.split(" ", 1) for line in git(*wanted, hint=_HINT).splitlines())
        return {name.removeprefix(_REMOTE): tip for tip, name in rows if name != f"{_REMOTE}HEAD"}

    def content(self, commit: str, path: str) -> bytes | None:
        """A file of the commit."""
        found = git("ls-tree", "-z", commit, "--", path, hint=_HINT).rstrip("\0")
        return _raw("cat-file", "blob", found.split("\t")[0].split(" ")[2]) if found else None

    def commit(self, parent: str, files: Mapping[str, bytes], message: str) -> str:
        """A new commit: its parent with these files put into it; neither work tree nor index is touched."""
        index = {"GIT_INDEX_FILE": str(temporary("index-of-results").absolute())}
        _raw("read-tree", parent, more=index)
        for path, content in files.items():
            blob = _raw("hash-object", "-w", "--stdin", given=content).decode().strip()
            _raw("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", more=index)
        tree = _raw("write-tree", more=index).decode().strip()
        who = {f"GIT_{role}_NAME": BOT[0] for role in ("AUTHOR", "COMMITTER")}
        who |= {f"GIT_{role}_EMAIL": BOT[1] for role in ("AUTHOR", "COMMITTER")}
        return _raw("commit-tree", tree, "-p", parent, "-F", "-", given=message.encode(), more=who).decode().strip()

    def push(self, commit: str, branch: str, expected: str | None) -> str:
        """Empty if the branch now ends there, else why not."""
        lease = f"--force-with-lease=refs/heads/{branch}:{expected or ''}"
        try:
            git("push", "--quiet", lease, "origin", f"{commit}:refs/heads/{branch}", hint=_HINT)
        except UserError as refused:
            return refused.what
        return ""


def destination(repository: GitRepository) -> str:
    """The branch that the workflow was started on or, for a tag, the one that the tagged commit belongs to."""
    if os.environ.get("GITHUB_REF_TYPE") == "branch":
        return variable("GITHUB_REF_NAME")
    commit = variable("GITHUB_SHA")
    return home(repository.branches(commit), commit, variable("DEFAULT_BRANCH"))


def _raw(*arguments: str, given: bytes = b"", more: Mapping[str, str] | None = None) -> bytes:
    variables = environment({**os.environ, **(more or {})})
    done = subprocess.run(["git", *arguments], input=given, env=variables, capture_output=True, check=False)
    if done.returncode:
        raise UserError(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}", _HINT)
    return done.stdout
