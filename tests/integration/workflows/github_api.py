"""A real HTTP server that answers like the part of GitHub's REST API that the workflows' scripts use.

Artifacts are served as GitHub does it: the API answers 302 to another host (here: another port), which wants no token.
"""

import contextlib
import hashlib
import io
import json
import re
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "team/image_classifier"
DIGEST_OF = "sha256:{}".format


@dataclass
class GitHub:
    """What the servers know, and what they were asked: change it at will between requests."""

    repository: str = REPOSITORY
    token: str = "ghs_token0of0this0job"  # noqa: S105
    url: str = ""
    blobs_url: str = ""
    runs: dict = field(default_factory=dict)
    artifacts: dict = field(default_factory=dict)
    archives: dict = field(default_factory=dict)
    pulls: list = field(default_factory=list)
    refuse_pulls: str = ""
    asked: list = field(default_factory=list)
    asked_blobs: list = field(default_factory=list)

    def add_run(self, number, **changes):
        """A successful dispatch of the training workflow, with the changes."""
        self.runs[number] = {
            "id": number,
            "path": ".github/workflows/training.yaml",
            "event": "workflow_dispatch",
            "status": "completed",
            "conclusion": "success",
            "repository": {"full_name": self.repository},
            "head_repository": {"full_name": self.repository},
        } | changes
        return number

    def add_artifact(self, run, archive, **changes):
        """An artifact of a run, with its bytes; its number."""
        number = 7000 + len(self.artifacts)
        self.archives[number] = archive
        self.artifacts[number] = {
            "id": number,
            "name": "experiment_results",
            "size_in_bytes": len(archive),
            "expired": False,
            "digest": DIGEST_OF(hashlib.sha256(archive).hexdigest()),
            "workflow_run": {"id": run},
        } | changes
        return number

    def environment(self):
        """The variables by which a script finds this server."""
        return {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": self.repository, "GITHUB_TOKEN": self.token}


def zipped(files):
    """A zip of {name: content}, as upload-artifact makes it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@contextlib.contextmanager
def serving(**known):
    """Both servers on free ports, until the block ends; `repository` and `token` may be given."""
    github = GitHub(**known)
    with _server(_Blobs, github) as blobs_url, _server(_Api, github) as url:
        github.url, github.blobs_url = url, blobs_url
        yield github


@contextlib.contextmanager
def _server(handler, github):
    server = ThreadingHTTPServer(("127.0.0.1", 0), type(handler.__name__, (handler,), {"github": github}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""

    def answer(self, status, body=b"", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _Api(_Handler):
    def do_GET(self):
        self.github.asked.append(("GET", self.path, dict(self.headers)))
        if self.headers.get("Authorization") != f"Bearer {self.github.token}":
            return self.answer(401, {"message": "Bad credentials"})
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        prefix = f"/repos/{self.github.repository}/actions"
        if match := re.fullmatch(rf"{prefix}/runs/(\d+)", path):
            found = self.github.runs.get(int(match[1]))
            return self.answer(200, found) if found else self.answer(404, {"message": "Not Found"})
        if match := re.fullmatch(rf"{prefix}/runs/(\d+)/artifacts", path):
            ours = [
                each
                for each in self.github.artifacts.values()
                if each["workflow_run"]["id"] == int(match[1]) and each["name"] in query.get("name", [each["name"]])
            ]
            return self.answer(200, {"total_count": len(ours), "artifacts": ours})
        if (match := re.fullmatch(rf"{prefix}/artifacts/(\d+)/zip", path)) and int(match[1]) in self.github.archives:
            return self.answer(302, Location=f"{self.github.blobs_url}/{match[1]}?signature=of-the-store")
        return self.answer(404, {"message": "Not Found"})

    def do_POST(self):
        self.github.asked.append(("POST", self.path, dict(self.headers)))
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("Authorization") != f"Bearer {self.github.token}":
            return self.answer(401, {"message": "Bad credentials"})
        if self.path != f"/repos/{self.github.repository}/pulls":
            return self.answer(404, {"message": "Not Found"})
        if self.github.refuse_pulls:
            return self.answer(403, {"message": self.github.refuse_pulls})
        self.github.pulls.append(body)
        return self.answer(
            201, {"html_url": f"https://example.org/{self.github.repository}/pull/{len(self.github.pulls)}"}
        )


class _Blobs(_Handler):
    def do_GET(self):
        self.github.asked_blobs.append((self.path, dict(self.headers)))
        # The real store refuses a request that carries a second authorization.
        if "Authorization" in self.headers:
            return self.answer(400, b"two authorizations")
        archive = self.github.archives[int(urlsplit(self.path).path[1:])]
        return self.answer(404, b"gone") if archive is None else self.answer(200, archive)
