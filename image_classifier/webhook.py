"""Tell a web address: one POST with JSON, tried a few times. Its address is a secret and appears in no message."""

import contextlib
import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

VARIABLE = "IMAGE_CLASSIFIER_WEBHOOK_URL"  # an address with a token in it: the environment and not a flag

_LONGEST_TEXT = 20_000  # characters; chat servers refuse much more
_TOO_MANY = 429


@dataclass(frozen=True)
class Patience:
    """How long and how often a server is asked, in seconds."""

    answer: float = 10.0
    pauses: tuple[float, ...] = (1.0, 4.0)
    in_all: float = 40.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the message to an address that nobody gave."""

    def redirect_request(self, *_: Any) -> None:
        """No further request."""


def refusal(url: str) -> str | None:
    """Why nothing can be posted to this address, or None."""
    if any(letter.isspace() or not letter.isprintable() for letter in url) or not url.isascii():
        return "it has blanks or letters that an address cannot have"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "it is no address"
    if parts.scheme not in ("http", "https"):
        return "it does not begin with http:// or https://"
    if not parts.hostname or port == 0:
        return "it names no server"
    return "it has a user name; put a token into the path" if "@" in parts.netloc else None


def post(url: str, message: Mapping[str, Any], patience: Patience | None = None) -> str | None:
    """Deliver the message; why it could not be, or None."""
    wrong = refusal(url)
    if wrong:
        return wrong
    how_long = patience or Patience()
    outcome: list[str | None] = []
    # A server may send one byte of its answer at a time, for ever: in a thread, the end of which need not be awaited.
    thread = threading.Thread(target=lambda: outcome.append(_deliver(url, _body(message), how_long)), daemon=True)
    thread.start()
    thread.join(how_long.in_all)
    return outcome[0] if outcome else f"no answer within {how_long.in_all:g} s"


def _body(message: Mapping[str, Any]) -> bytes:
    text = str(message["text"])
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT].rpartition("\n")[0] + "\n\n…\n"
    return json.dumps({**message, "text": text}).encode()


def _deliver(url: str, body: bytes, patience: Patience) -> str | None:
    for pause in (*patience.pauses, None):
        failure, again = _attempt(url, body, patience.answer)
        if failure is None or not again or pause is None:
            return failure
        time.sleep(pause)
    raise AssertionError("the last attempt has no pause behind it")


def _attempt(url: str, body: bytes, seconds: float) -> tuple[str | None, bool]:
    """Why one POST failed, or None; and whether another may do better."""
    headers = {"Content-Type": "application/json", "User-Agent": "image_classifier"}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 (refusal has looked)
    try:
        with contextlib.closing(urllib.request.build_opener(_NoRedirect).open(request, timeout=seconds)):
            return None, False
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            note = " (redirects are not followed)" if error.code in range(300, 400) else ""
            return f"the server answered {error.code}{note}", error.code >= 500 or error.code == _TOO_MANY
    except urllib.error.URLError as error:
        return _reason(error.reason), True
    except (OSError, http.client.HTTPException) as error:
        return _reason(error), True
    except ValueError:  # what this library refuses to send, and quotes
        return "it is no address", False


def _reason(error: object) -> str:
    """An error in words that cannot hold the address."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.errno and error.strerror and "[" not in error.strerror:
        return error.strerror
    return f"the connection failed ({type(error).__name__})"
