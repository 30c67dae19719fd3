"""landing.py on real clones of a real remote, through git and through dulwich: whose commit stands where in the end."""

import base64
import json
import os
import subprocess
import sys

import git_server
import pytest
from steps import SCRIPTS, Job, git, job, refused

LOCK = "examples/digits/dvc.lock"
PUT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import step
from landing import Landing, Results, home
if sys.argv[2] == "git":
    from git_repository import GitRepository as Repository
else:
    from dulwich_repository import DulwichRepository as Repository

class Slow(Repository):
    '''Another push comes between looking and pushing.'''
    meanwhile = json.loads(sys.argv[5])

    def commit(self, *given):
        made = super().commit(*given)
        if self.meanwhile:
            import subprocess
            subprocess.run(["git", "push", "--quiet", "direct", self.meanwhile.pop()], check=True)
        return made

def main():
    repository, commit = Slow(), sys.argv[3]
    branch = home(repository.branches(commit), commit, "main")
    landing = Landing(repository, commit, branch, "results/the-tag")
    print(landing.put(Results.read(sys.argv[4].encode())))

step.run(main)
"""


def written(**files):
    return json.dumps({path: base64.b64encode(text.encode()).decode() for path, text in files.items()})


def begin(made, how, results, commit=None, meanwhile=()):
    """A landing in a process of its own."""
    commit = commit or git(made.workspace, "rev-parse", "HEAD")
    command = [sys.executable, "-c", PUT, SCRIPTS, how, commit, results, json.dumps(list(meanwhile))]
    url = git(made.workspace, "remote", "get-url", "origin")
    kept = {"PATH": os.environ["PATH"], "HOME": str(made.temporary), "RUNNER_TEMP": str(made.temporary)}
    if how == "git":
        kept |= {"GITHUB_SERVER_URL": url.rpartition("/")[0], "GITHUB_TOKEN": git_server.PASSWORD}
    else:
        login = f"machine 127.0.0.1 login somebody password {git_server.PASSWORD}\n"
        (made.temporary / ".netrc").write_text(login)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=made.workspace, env=kept, **pipes)


def put(made, how, results, **more):
    process = begin(made, how, results, **more)
    said, _ = process.communicate()
    return process.returncode, said


@pytest.fixture(params=["git", "dulwich"])
def how(request):
    return request.param


@pytest.fixture
def made(tmp_path):
    """A clone of a remote on a server that wants a password, both with a commit on main."""
    made = job(tmp_path, readme="x", **{"examples/wine/dvc.lock": "old"})
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", remote)
    git(made.workspace, "commit", "--quiet", "--allow-empty", "-m", "Try $(date) `x`\n\nMore words: é")
    git(made.workspace, "remote", "add", "direct", remote)
    git(made.workspace, "push", "--quiet", "direct", "HEAD:main")
    with git_server.serving(tmp_path) as port:
        made.url = f"http://127.0.0.1:{port}/remote.git"
        git(made.workspace, "remote", "add", "origin", made.url)
        made.remote = lambda *arguments: git(remote, *arguments)
        yield made


def another(made, name):
    """Another machine with a clone of the same remote."""
    folder = made.temporary / name
    git(made.temporary, "clone", "--quiet", "--branch=main", "--origin=direct", made.workspace, folder / "clone")
    git(folder / "clone", "remote", "add", "origin", made.url)
    return Job(folder / "clone", folder, {})


def other_commit(made, text="theirs", path="README", parent="HEAD"):
    """A commit of somebody else, which is in the clone but not yet pushed."""
    git(made.workspace, "checkout", "--quiet", "--detach", parent)
    (made.workspace / path).parent.mkdir(parents=True, exist_ok=True)
    (made.workspace / path).write_text(text)
    git(made.workspace, "add", "--all")
    git(made.workspace, "commit", "--quiet", "-m", f"Theirs {text}")
    commit = git(made.workspace, "rev-parse", "HEAD")
    git(made.workspace, "checkout", "--quiet", "--detach", parent + "~1" if parent != "HEAD" else "HEAD~1")
    return commit


def test_the_branch_ends_with_one_commit_that_has_the_tagged_message_and_the_files(made, how):
    tagged = git(made.workspace, "rev-parse", "HEAD")
    code, said = put(made, how, written(**{LOCK: "new", "examples/wine/dvc.lock": "old"}))
    assert code == 0, said
    assert made.remote("rev-parse", "main~1") == tagged
    assert made.remote("log", "-1", "--format=%B", "main") == "Try $(date) `x`\n\nMore words: é-results"
    assert made.remote("diff", "--name-only", tagged, "main") == LOCK
    assert made.remote("show", f"main:{LOCK}") == "new"
    assert made.remote("fsck", "--strict", "--no-dangling") == ""


def test_a_second_landing_changes_nothing(made, how):
    tagged, results = git(made.workspace, "rev-parse", "HEAD"), written(**{LOCK: "new"})
    put(made, how, results)
    first = made.remote("rev-parse", "main")
    code, said = put(made, how, results, commit=tagged)
    assert (code, made.remote("rev-parse", "main")) == (0, first)
    assert "has these results already" in said
    assert made.remote("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_somebody_who_pushes_in_between_loses_nothing_and_neither_do_we(made, how):
    theirs = other_commit(made)
    code, said = put(made, how, written(**{LOCK: "new"}), meanwhile=[f"{theirs}:refs/heads/main"])
    assert code == 0, said
    assert made.remote("rev-parse", "main~1") == theirs
    assert made.remote("show", "main:README") == "theirs"
    assert made.remote("show", f"main:{LOCK}") == "new"


def test_many_at_once_all_land_on_the_branch(made, how):
    paths = [f"examples/{name}/dvc.lock" for name in ("a", "b", "c", "d")]
    machines = [another(made, str(number)) for number in range(4)]
    running = [begin(machine, how, written(**{path: path})) for machine, path in zip(machines, paths, strict=True)]
    ended = [(process.communicate()[0], process.returncode) for process in running]
    assert [code for _, code in ended] == [0] * 4, ended
    assert [made.remote("show", f"main:{path}") for path in paths] == paths
    assert made.remote("rev-list", "--count", "main") == "6"


def test_other_results_for_the_same_files_are_not_overwritten_but_stand_aside(made, how):
    theirs = other_commit(made, "theirs", LOCK)
    code, said = put(made, how, written(**{LOCK: "ours"}), meanwhile=[f"{theirs}:refs/heads/main"])
    assert code == 0, said
    assert "results/the-tag" in said
    assert made.remote("rev-parse", "main") == theirs
    assert made.remote("show", f"results/the-tag:{LOCK}") == "ours"
    code, said = put(made, how, written(**{LOCK: "ours again"}), commit=git(made.workspace, "rev-parse", "HEAD"))
    assert code == 2
    assert "is that branch there already?" in said
    assert made.remote("show", f"results/the-tag:{LOCK}") == "ours"


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        (["main", "feature"], "main"),
        (["feature"], "feature"),
        (["feature", "feature+1"], "feature"),
        (["a;touch${IFS}x", "b+1"], "a;touch${IFS}x"),
        ([], "no branch contains the tagged commit"),
        (["one", "two"], "2 branches contain the tagged commit: one, two"),
        (["one+1", "two+1"], "2 branches contain the tagged commit: one, two"),
    ],
)
def test_the_branch_is_the_one_that_the_tag_is_on(made, how, branches, expected):
    tagged = git(made.workspace, "rev-parse", "HEAD")
    later = other_commit(made, "later", parent=tagged)
    git(made.workspace, "push", "--quiet", "direct", f"{tagged}:refs/tags/t", f"{tagged}~1:refs/heads/aside")
    made.remote("update-ref", "-d", "refs/heads/main")
    for name in branches:
        end = later if name.endswith("+1") else tagged
        git(made.workspace, "push", "--quiet", "direct", f"{end}:refs/heads/{name.removesuffix('+1')}")
    code, said = put(made, how, written(**{LOCK: "new"}), commit=tagged)
    if expected in branches:
        assert code == 0, said
        assert made.remote("log", "-1", "--format=%s", expected) == "Try $(date) `x`"
        assert made.remote("show", f"{expected}:{LOCK}") == "new"
    else:
        assert (code, expected in said) == (2, True), said
    assert not (made.workspace / "x").exists()


def test_a_branch_that_may_not_be_written_is_an_error_and_no_loop(made, how, tmp_path):
    hook = tmp_path / "remote.git/hooks/update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    hook.chmod(0o755)
    code, said = put(made, how, written(**{LOCK: "new"}))
    assert code == 2, said
    assert "error: main was not pushed" in said


def test_a_remote_that_is_gone_is_an_error(made, how):
    git(made.workspace, "remote", "set-url", "origin", made.url.replace("remote.git", "nothing.git"))
    code, said = put(made, how, written(**{LOCK: "new"}))
    assert code == 2, said
    assert "Traceback" not in said
    assert "error: " in said


def test_a_wrong_password_is_an_error_that_does_not_show_it(made, how, monkeypatch):
    before = made.remote("rev-parse", "main")
    monkeypatch.setattr(git_server, "PASSWORD", "another")
    monkeypatch.setattr(git_server, "KNOWN", "not this one", raising=True)
    code, said = put(made, how, written(**{LOCK: "new"}))
    assert (code, made.remote("rev-parse", "main")) == (2, before)
    assert "Traceback" not in said
    assert "another" not in said


@pytest.mark.parametrize(
    "path",
    [
        *("examples/digits/dvc.yaml", "examples/digits/config.yaml", ".github/workflows/a.json", "dvc.lock"),
        *("examples/../dvc.lock", "/examples/digits/dvc.lock", "examples/digits/.git/a.json", "examples/a/x.py"),
        *("examples/digits/a b.json", "examples/digits/-a.json", "examples/digits/a.json\n", "Examples/a/dvc.lock"),
    ],
)
def test_nothing_but_results_can_be_committed(made, path):
    before = made.remote("rev-parse", "main")
    code, said = put(made, "git", written(**{LOCK: "new", path: "x"}))
    assert (code, made.remote("rev-parse", "main")) == (2, before)
    assert "is nothing that a pipeline may commit" in said


@pytest.mark.parametrize("text", ["", "[]", "{", '{"examples/a/dvc.lock": 3}', '{"examples/a/dvc.lock": "*"}'])
def test_results_that_cannot_be_read_are_refused(made, text):
    code, said = put(made, "git", text)
    assert code == 2
    assert "Traceback" not in said


def test_a_file_that_is_too_large_for_git_is_refused(made):
    (made.temporary / "results").write_text(written(**{"examples/a/big.json": "x" * 1_000_001}))
    program = "import sys; sys.path.insert(0, sys.argv[1]); import step; from landing import Results; "
    program += "step.run(lambda: Results.read(open(sys.argv[2], 'rb').read()))"
    (made.temporary / "read.py").write_text(program)
    assert refused(made.run(made.temporary / "read.py", SCRIPTS, made.temporary / "results"), "1000001 bytes")
