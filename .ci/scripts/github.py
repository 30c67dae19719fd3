"""GitHub's REST API: JSON in and out, and downloads that leave the token at home when they are sent elsewhere."""

import hashlib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from package import UserError
from step import variable

_SECONDS = 60
_MAX_JSON = 16 << 20
_CHUNK = 1 << 20
_HINT = "check the address and the job's permissions; if GitHub has a fault, run the job again"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Hands a redirect back instead of following it with the same headers."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def repository() -> str:
    """`owner/name` of the repository that the workflow runs in."""
    return variable("GITHUB_REPOSITORY")


def ask(path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The JSON answer of an endpoint of this repository; with a body it is a POST."""
    data = None if body is None else json.dumps(body).encode()
    request = _request(f"{variable('GITHUB_API_URL')}/repos/{repository()}/{path}", data, secret=True)
    with _open(request) as answer:
        text = answer.read(_MAX_JSON + 1)
    if answer.status not in (200, 201) or len(text) > _MAX_JSON:
        raise UserError(f"GitHub answered {answer.status} with {len(text)} bytes to {path}", _HINT)
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"GitHub's answer to {path} is no JSON", _HINT) from error


def download(path: str, target: Path, most: int) -> str:
    """The sha256 of what was written to `target`; the token goes to the API alone, never to where it sends us."""
    url = f"{variable('GITHUB_API_URL')}/repos/{repository()}/{path}"
    with _open(_request(url, None, secret=True)) as answer:
        if answer.status not in (301, 302, 303, 307, 308):
            return _store(answer, target, most)
        place = answer.headers.get("Location", "")
    if urlsplit(place).scheme not in {"https", urlsplit(url).scheme}:
        raise UserError(f"GitHub sends the download of {path} to an address that is not https", _HINT)
    with _open(_request(place, None, secret=False)) as answer:
        return _store(answer, target, most)


def _request(url: str, data: bytes | None, *, secret: bool) -> urllib.request.Request:
    headers = {"User-Agent": "image-classifier-workflow"}
    if secret:
        headers |= {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Authorization": f"Bearer {variable('GITHUB_TOKEN')}",
        }
    return urllib.request.Request(url, data, headers)  # noqa: S310  (from the runner, or checked)


def _open(request: urllib.request.Request) -> http.client.HTTPResponse:
    where = f"{request.host}{request.selector.partition('?')[0]}"  # what follows may be a signature
    try:
        answer: http.client.HTTPResponse = _OPENER.open(request, timeout=_SECONDS)
    except urllib.error.HTTPError as error:
        if 300 <= error.code < 400:
            return error  # type: ignore[return-value]
        raise UserError(f"{where} answered {error.code} {_message(error)}".strip(), _HINT) from error
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"{where} cannot be reached: {error}", _HINT) from error
    return answer


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(_CHUNK))["message"])
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.reason)


def _store(answer: IO[bytes], target: Path, most: int) -> str:
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as stream:
        while chunk := answer.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise UserError(f"the download is larger than {most} bytes", "this is no run of the trainer")
            digest.update(chunk)
            stream.write(chunk)
    return f"sha256:{digest.hexdigest()}"
