"""git_client.py and fetch_lfs.py: git with the job's token, given to GitHub alone."""

import base64
import contextlib
import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from steps import SCRIPTS, git, job, refused

pytestmark = pytest.mark.skipif(
    shutil.which("git-lfs") is None and not os.environ.get("CI"),
    reason="git-lfs is not installed (apt install git-lfs)",
)
TOKEN = "ghs_token0of0this0job"  # noqa: S105
CALL = "import sys; sys.path.insert(0, sys.argv[1]); import git_client, step; {}"


@contextlib.contextmanager
def guarded():
    """A server that wants a password for everything, and what it was given."""
    given = []

    class Guard(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            given.append(self.headers.get("Authorization"))
            self.send_response(403 if given[-1] else 401)
            if not given[-1]:
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Guard)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", given
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def checkout(tmp_path):
    return job(tmp_path, readme="x")


def basic(token):
    return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()


def test_git_gives_the_token_to_github(checkout, tmp_path):
    with guarded() as (url, given):
        (tmp_path / "ask.py").write_text(
            CALL.format(f"step.run(lambda: git_client.git('ls-remote', '{url}/team/x.git', hint='look'))")
        )
        step = checkout.run(tmp_path / "ask.py", SCRIPTS, GITHUB_SERVER_URL=url, GITHUB_TOKEN=TOKEN)
    assert refused(step, "git ls-remote failed", "look")
    assert given == [None, basic(TOKEN)]
    assert TOKEN not in step.stderr


def test_a_password_that_the_machine_keeps_is_not_used(checkout, tmp_path):
    (checkout.temporary / ".gitconfig").write_text(
        '[credential]\n\thelper = "!f() { echo username=x; echo password=kept; }; f"\n'
    )
    with guarded() as (url, given):
        (tmp_path / "ask.py").write_text(
            CALL.format(f"step.run(lambda: git_client.git('ls-remote', '{url}/team/x.git', hint='look'))")
        )
        checkout.run(tmp_path / "ask.py", SCRIPTS, GITHUB_SERVER_URL=url, GITHUB_TOKEN=TOKEN)
        assert given == [None, basic(TOKEN)]
        checkout.run(tmp_path / "ask.py", SCRIPTS, GITHUB_SERVER_URL="https://github.com", GITHUB_TOKEN=TOKEN)
    assert given[2:] == [None]


def test_git_gives_the_token_to_no_other_server(checkout, tmp_path):
    with guarded() as (url, given):
        (tmp_path / "ask.py").write_text(
            CALL.format(f"step.run(lambda: git_client.git('ls-remote', '{url}/team/x.git', hint='look'))")
        )
        step = checkout.run(tmp_path / "ask.py", SCRIPTS, GITHUB_SERVER_URL="https://github.com", GITHUB_TOKEN=TOKEN)
    assert refused(step, "git ls-remote failed", "look")
    assert given == [None]


def test_a_repository_cannot_send_the_token_elsewhere_by_its_lfsconfig(tmp_path):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 5\n"
    with guarded() as (url, given):
        made = job(
            tmp_path,
            **{
                ".gitattributes": "*.bin filter=lfs\n",
                "a.bin": pointer,
                ".lfsconfig": f"[lfs]\n\turl = {url}/lfs\n",
            },
        )
        git(made.workspace, "remote", "add", "origin", "https://github.com/team/x.git")
        step = made.run("fetch_lfs.py", WANTED="a.bin", GITHUB_SERVER_URL="https://github.com", GITHUB_TOKEN=TOKEN)
    assert step.code == 2
    assert given, "the server was asked"
    assert set(given) == {None}


@pytest.fixture
def with_objects(tmp_path):
    """A clone without LFS objects of a remote that has two."""
    made = job(tmp_path, **{".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    git(made.workspace, "lfs", "install", "--local")
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", remote)
    git(made.workspace, "remote", "add", "origin", remote.as_uri())
    for name in ("data/photos/a.bin", "experiments/pets/old/model.bin", "experiments/pets/other/model.bin"):
        path = made.workspace / name
        path.parent.mkdir(parents=True)
        path.write_text(f"content of {name}")
    git(made.workspace, "add", "--all")
    git(made.workspace, "commit", "--quiet", "-m", "Objects")
    git(made.workspace, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    shutil.rmtree(made.workspace)
    git(tmp_path, "clone", "--quiet", "--branch=main", remote.as_uri(), made.workspace)
    return made


def test_only_what_is_wanted_is_fetched(with_objects):
    step = with_objects.run("fetch_lfs.py", WANTED="data/photos,experiments/pets/old")
    assert step.code == 0, step.stderr
    texts = {path.parent.name: path.read_text() for path in with_objects.workspace.rglob("*.bin")}
    assert texts["photos"] == "content of data/photos/a.bin"
    assert texts["old"] == "content of experiments/pets/old/model.bin"
    assert texts["other"].startswith("version https://git-lfs.github.com/spec/v1\n")
    assert len(list((with_objects.workspace / ".git/lfs/objects").rglob("*/*/*"))) == 2


def test_an_object_that_the_server_lacks_is_an_error(with_objects, tmp_path):
    shutil.rmtree(tmp_path / "remote.git" / "lfs")
    assert refused(with_objects.run("fetch_lfs.py", WANTED="data/photos"), "git lfs failed", "pushed with Git LFS")
