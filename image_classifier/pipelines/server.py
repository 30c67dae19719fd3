"""A Kubeflow Pipelines server, asked by KFP's own client: each request has a limit of time, each refusal words.

What is called are the client's generated methods: the others have no limit of time, and take a page of HTML, as a login
answers, for an empty answer of the API.
"""

import contextlib
import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from image_classifier.errors import UserError, one_line
from image_classifier.masking import HIDDEN
from image_classifier.pipelines import graph

_SECONDS = (10, 30)  # to connect, and between two parts of an answer
_LONGEST = 300  # characters of a foreign error
_ADDRESS = re.compile(r"https?://[^\s/@?#]+(/[^\s@?#]*)?")
# kfp's dependencies raise each their own; none shares a base with the others.
_FOREIGN = ("kfp", "urllib3", "requests", "google", "oauthlib", "requests_oauthlib")
_WHO = "--token_file or KFP_TOKEN gives a token of somebody who may"


class Server:
    """A server's API; a token or a cookie is never part of what is said of it."""

    def __init__(self, host: str, namespace: str = "", token: str = "") -> None:
        if not _ADDRESS.fullmatch(host):
            shown = re.sub(r"//.*@", f"//{HIDDEN}@", host.partition("?")[0])
            raise UserError(
                f"host {shown!r} is no address of a server",
                "write it as https://kubeflow.example.org/pipeline; a user or a token does not belong into it",
            )
        self.host, self.namespace, self._token = host.rstrip("/"), namespace, token
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # it tells of each retry; what comes of them is told by us
        self.client = self._connected()
        if self.asked(self.client.healthzs.healthz_service_get_healthz).get("multi_user") and not namespace:
            raise UserError(f"{host} has several users, each with a namespace", "--namespace NAME or KFP_NAMESPACE")

    def _connected(self) -> Any:
        """KFP's client, which asks for nothing yet."""
        # The client's own asks five times, without a limit of time.
        silent = {"get_kfp_healthz": lambda _: SimpleNamespace(multi_user=None)}
        with self._refusals(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of servers before version 2
            return type("Client", (graph.kfp().Client,), silent)(
                host=self.host,
                namespace=self.namespace,
                existing_token=self._token or None,
                ssl_ca_cert=os.environ.get("SSL_CERT_FILE") or None,
            )

    def asked(self, call: Callable[..., Any], *about: Any, **given: Any) -> dict[str, Any]:
        """What the server answers to one request: the object that its JSON holds."""
        with self._refusals(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of urllib3, whose old names the client calls
            answer = call(*about, **given, _preload_content=False, _request_timeout=_SECONDS)
            kind, data = str(answer.headers.get("Content-Type", "")), answer.data
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self._no_api(f"answers {kind.partition(';')[0] or 'nothing'}, not JSON")
        return found

    def _no_api(self, what: str) -> UserError:
        return UserError(
            f"{self.host} {what}: it is not the API of Kubeflow Pipelines",
            f"the address ends before /apis, often with /pipeline; a login page answers so too: {_WHO}",
        )

    def id_of(self, answer: Mapping[str, Any], name: str) -> str:
        """An id that an answer must have."""
        found = answer.get(name)
        if not isinstance(found, str) or not found:
            raise self._no_api(f"answers without {name}")
        return found

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """Turn what the server refuses, or what keeps us from it, into an error that names the server."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            if not isinstance(error, OSError | ValueError) and not type(error).__module__.startswith(_FOREIGN):
                raise
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> UserError:
        """A foreign error in words, without the token."""
        status = getattr(error, "status", None)
        if not status:
            text = self._shown(one_line(getattr(error, "reason", None) or error))
            hint = "is it running, and does this machine reach it?"
            if "certificate" in text.lower():
                hint = "SSL_CERT_FILE names the file with the certificate that signed the server's"
            return UserError(f"{self.host} cannot be reached: {text}", hint)
        if status == 404:
            return self._no_api("answers 404")
        what = f"{self.host} answers {status} {self._shown(getattr(error, 'reason', None) or '')}".rstrip()
        said = _message(getattr(error, "body", None))
        what += f": {self._shown(said)}" if said else ""
        if status in {401, 403}:
            return UserError(what, _WHO)
        if status == 409:
            return UserError(what, "somebody uploads at the same time: try again")
        return UserError(what, "the log of ml-pipeline, the server's deployment, says more")

    def _shown(self, text: str) -> str:
        """A foreign text on one line, cut, without the token."""
        line = " ".join(str(text).split())
        return (line.replace(self._token, HIDDEN) if self._token else line)[:_LONGEST]


def _message(body: str | bytes | None) -> str:
    """What the API says in an error; nothing where the answer is not its own."""
    try:
        about = json.loads(body or "")
    except ValueError:
        return ""
    names = ("error_details", "error_message", "message", "error")
    return next((str(about[name]) for name in names if about.get(name)), "") if isinstance(about, dict) else ""
