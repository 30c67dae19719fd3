"""A message reaches a real HTTP server, or it is said in words why not, and the address is never part of them."""

import http.server
import json
import socket
import threading

import pytest

from image_classifier import webhook
from image_classifier.webhook import Patience

pytestmark = pytest.mark.unit

HIDDEN = "xyzzy-in-the-path"
QUICK = Patience(answer=0.25, pauses=(0.01, 0.01), in_all=5)


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """Whatever proxy this machine has: these servers are here."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server():
    """server(*answers) is the address of a server that answers so, one after the other, and what it was sent."""
    running, released = [], threading.Event()

    def start(*answers):
        heard, waiting = [], list(answers)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                heard.append((self.path, dict(self.headers), body))
                answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                if callable(answer):
                    answer(self, released)
                    return
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def do_GET(self):
                self.do_POST()

            def log_message(self, *_):
                pass

        made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        made.daemon_threads = True
        made.handle_error = lambda *_: None
        running.append(made)
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{made.server_port}/services/{HIDDEN}?token={HIDDEN}", heard

    yield start
    released.set()
    for made in running:
        made.shutdown()
        made.server_close()


def hang(handler, released):
    released.wait(30)


def close(handler, _):
    handler.connection.shutdown(socket.SHUT_RDWR)


def close_midway(handler, _):
    handler.wfile.write(b"HTTP/1.1 2")
    handler.connection.shutdown(socket.SHUT_RDWR)


def nonsense(handler, _):
    handler.wfile.write(b"220 mail.example.org ESMTP\r\n\r\n")


def dribble(handler, released):
    """One byte at a time, each in time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not released.wait(0.05):
        try:
            handler.wfile.write(b"x")
        except OSError:
            return


def slow(handler, released):
    released.wait(0.1)
    handler.send_response(204)
    handler.end_headers()


def test_the_message_arrives_as_json(server):
    url, heard = server(200)
    assert webhook.post(url, {"text": "## x\n\nä 🎉", "kind": "run", "accuracy": 0.5}, QUICK) is None
    ((path, headers, body),) = heard
    assert path == f"/services/{HIDDEN}?token={HIDDEN}"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"text": "## x\n\nä 🎉", "kind": "run", "accuracy": 0.5}


@pytest.mark.parametrize(
    "answers", [(500, 200), (503, 429, 201), (close, 200), (close_midway, 200), (hang, 200), (slow,), (502, slow)]
)
def test_a_server_in_trouble_is_tried_again(server, answers):
    url, heard = server(*answers)
    assert webhook.post(url, {"text": "x"}, QUICK) is None
    assert len(heard) == len(answers)


@pytest.mark.parametrize(
    ("answer", "attempts", "words"),
    [
        (500, 3, "answered 500"),
        (429, 3, "answered 429"),
        (404, 1, "answered 404"),
        (400, 1, "answered 400"),
        (hang, 3, "no answer in time"),
        (close, 3, "connection"),
        (close_midway, 3, "connection"),
        (nonsense, 3, "connection failed"),
    ],
)
def test_what_cannot_be_delivered_is_said_after_so_many_attempts(server, answer, attempts, words):
    url, heard = server(answer)
    failure = webhook.post(url, {"text": "x"}, QUICK)
    assert words in failure.lower()
    assert len(heard) == attempts
    assert HIDDEN not in failure
    assert "127.0.0.1" not in failure


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(server, status):
    elsewhere, there = server(200)
    url, heard = server((status, {"Location": elsewhere}))
    failure = webhook.post(url, {"text": "x"}, QUICK)
    assert f"answered {status} (redirects are not followed)" in failure
    assert HIDDEN not in failure
    assert (len(heard), there) == (1, [])


def test_a_server_that_never_ends_its_answer_holds_nobody(server):
    url, _ = server(dribble)
    assert webhook.post(url, {"text": "x"}, Patience(0.5, (), 1.0)) == "no answer within 1 s"


def test_nobody_listening_is_said(server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/{HIDDEN}"
        assert webhook.post(url, {"text": "x"}, QUICK) == "Connection refused"


def test_a_host_that_does_not_exist_is_said_without_its_name():
    failure = webhook.post(f"http://{HIDDEN.lower()}.invalid/x", {"text": "x"}, QUICK)
    assert failure
    assert HIDDEN.lower() not in failure


def test_a_server_that_speaks_no_tls_is_said(server):
    url, _ = server(200)
    failure = webhook.post(url.replace("http:", "https:"), {"text": "x"}, QUICK)
    assert "connection failed" in failure
    assert HIDDEN not in failure


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"ftp://example.org/{HIDDEN}", "http://"),
        (f"file:///etc/{HIDDEN}", "http://"),
        (f"example.org/{HIDDEN}", "http://"),
        (HIDDEN, "http://"),
        (f"https:///{HIDDEN}", "names no server"),
        (f"https://?{HIDDEN}", "names no server"),
        (f"https://example.org:0/{HIDDEN}", "names no server"),
        (f"https://example.org:port/{HIDDEN}", "no address"),
        (f"https://example.org:99999/{HIDDEN}", "no address"),
        (f"https://[::1/{HIDDEN}", "no address"),
        (f"https://example.org/a b{HIDDEN}", "blanks"),
        (f"https://example.org/{HIDDEN}\nX: y", "blanks"),
        (f"https://example.org/{HIDDEN}\x7f", "blanks"),
        (f"https://exämple.org/{HIDDEN}", "letters"),
        (f"https://me:{HIDDEN}@example.org/", "user name"),
    ],
)
def test_an_address_that_is_none_is_refused_in_words(url, words):
    failure = webhook.post(url, {"text": "x"}, QUICK)
    assert words in failure
    assert HIDDEN not in failure
    assert "example" not in failure


def test_a_long_text_is_cut_at_a_line(server):
    url, heard = server(200)
    line = "| " + "x" * 96 + " |\n"
    assert webhook.post(url, {"text": line * 1000, "kind": "sweep"}, QUICK) is None
    text = json.loads(heard[0][2])["text"]
    assert len(text) < 20_010
    assert text.endswith("…\n")
    assert text.removesuffix("\n\n…\n").splitlines() == [line.strip()] * (text.count("\n") - 2)
