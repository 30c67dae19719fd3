"""A real git server: git's own http-backend behind HTTP, for those who know the password."""

import base64
import contextlib
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PASSWORD = "the-password-of-git"  # noqa: S105  # pragma: allowlist secret
KNOWN = PASSWORD


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        kind, _, said = self.headers.get("Authorization", "").partition(" ")
        name, _, password = base64.b64decode(said).decode().partition(":")
        if (kind, password) != ("Basic", KNOWN):
            self.reply(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
            return
        asked = urlsplit(self.path)
        given = {"REQUEST_METHOD": self.command, "PATH_INFO": asked.path, "QUERY_STRING": asked.query}
        given |= {"CONTENT_TYPE": self.headers.get("Content-Type", ""), "REMOTE_USER": name}
        given |= {"HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", "")}
        given |= {"GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_HTTP_EXPORT_ALL": "1"}
        given |= {"GIT_PROJECT_ROOT": str(self.server.folder), "PATH": os.environ["PATH"], "HOME": "/nonexistent"}
        safe = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        done = subprocess.run(["git", "http-backend"], input=self.body(), env=given | safe, capture_output=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().splitlines()]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.reply(status, [pair for pair in headers if pair[0] != "Status"], body)

    do_POST = do_GET  # noqa: N815

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def reply(self, status, headers, body):
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serving(folder, host="127.0.0.1"):
    """The port at which the repositories of the folder are served; whoever knows the password may push."""
    server = ThreadingHTTPServer((host, 0), _Handler)
    server.folder = folder
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
