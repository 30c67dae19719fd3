"""A local S3 server (moto), behind a proxy that counts requests and fails on purpose."""

import contextlib
import http.client
import http.server
import logging
import re
import socket
import threading
import time
from urllib.parse import unquote

from moto.server import ThreadedMotoServer

KEY, SECRET = "AKIACANARYKEYNAME", "canary-of-the-secret-access-key"  # pragma: allowlist secret
VARIABLES = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}
SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"


class Faults:
    """What the proxy does to requests, and what it has seen: (method, path, range) of each."""

    def __init__(self):
        self.seen, self.left, self.rewritten = [], [], []
        self.ahead = self.before = None  # called with method and path: ahead of a request, before its answer
        self.released = threading.Event()
        self._turn = threading.Lock()

    def add(self, kind, times=1, method="GET", path="", ranges=""):
        """Do this to so many requests whose path and Range match these patterns."""
        self.left.append([kind, times, method, re.compile(path), re.compile(ranges)])

    def take(self, method, path, ranges):
        with self._turn:
            self.seen.append((method, path, ranges))
            for fault in self.left:
                kind, times, *_, path_like, ranges_like = fault
                if times and fault[2] == method and path_like.search(path) and ranges_like.search(ranges):
                    fault[1] -= 1
                    return kind
        return None

    def clear(self):
        """Begin anew; whoever is held is let go."""
        self.released.set()
        self.__init__()

    def gets(self):
        """The objects' paths that were read."""
        return [path for method, path, _ in self.seen if method == "GET" and "list-type" not in path]

    def puts(self):
        """The objects' paths that were written."""
        return [path for method, path, _ in self.seen if method == "PUT"]

    def listings(self):
        """The listings that were asked for."""
        return [path for method, path, _ in self.seen if method == "GET" and "list-type" in path]


class _Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faults = target = None

    def log_message(self, *_):
        pass

    def _forward(self):
        faults, ranges = self.faults, self.headers.get("Range", "")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = faults.take(self.command, unquote(self.path), ranges)
        if kind == "hold":
            faults.released.wait(60)
        if kind == "hang":
            time.sleep(4)
        if kind in ("close", "hold", "hang"):
            self._drop()
            return
        if kind in ("500", "503"):
            self._answer(int(kind), [], SLOW_DOWN if kind == "503" else b"")
            return
        reply, data = self._forwarded(body)
        headers = [each for each in reply.getheaders() if each[0].lower() not in ("content-length", "connection")]
        if kind == "corrupt":
            data = bytes([data[0] ^ 1]) + data[1:]
        if kind == "truncate":
            data = data[: len(data) // 2]
        length = int(reply.getheader("Content-Length") or 0) if self.command == "HEAD" else len(data)
        self._answer(reply.status, headers, data[: len(data) // 2] if kind == "drop" else data, length)
        if kind == "drop":
            self._drop()

    def _forwarded(self, body):
        """The server's own answer, as it is rewritten, and what happens around it."""
        if self.faults.ahead:
            self.faults.ahead(self.command, unquote(self.path))
        with contextlib.closing(http.client.HTTPConnection(self.target)) as link:
            link.request(self.command, self.path, body, dict(self.headers))
            reply = link.getresponse()
            data = reply.read()
        for pattern, replacement in self.faults.rewritten if "list-type" in self.path else ():
            data = re.sub(pattern, replacement, data)
        if self.faults.before:
            self.faults.before(self.command, unquote(self.path))
        return reply, data

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _forward  # noqa: N815  (as http.server calls them)

    def _answer(self, status, headers, data, length=None):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _drop(self):
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """Whoever was killed reads no answer."""


@contextlib.contextmanager
def server():
    """The addresses of the proxy and of the server behind it, and the faults."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    faults = Faults()
    handler = type("Proxy", (_Proxy,), {"faults": faults, "target": f"{host}:{port}"})
    proxy = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}", f"http://{host}:{port}", faults
    finally:
        faults.clear()
        proxy.shutdown()
        proxy.server_close()
        thread.join()
        moto.stop()


def filesystem(address):
    """S3 at the server's own address: for what a test puts there and looks at."""
    import s3fs

    login = {"key": KEY, "secret": SECRET, "client_kwargs": {"region_name": "us-east-1"}}
    return s3fs.S3FileSystem(endpoint_url=address, skip_instance_cache=True, use_listings_cache=False, **login)


def put(fs, folder, place):
    """Copy a folder's files to a place in a bucket."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            fs.pipe_file(f"{place}/{path.relative_to(folder).as_posix()}", path.read_bytes())
