"""A real HTTP server in the place of Kubeflow Pipelines, which holds each request against KFP's published API.

The API is kfp_api.json: what KFP publishes (Apache 2.0, its source stands in the file), without what is not used here.
A request that is not in it, or is not as it says, is answered with 400 and kept in `wrong`. So are answers of this
server that KFP could not give.
"""

import contextlib
import copy
import json
import re
import ssl
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import jsonschema

API = json.loads(Path(__file__).with_suffix(".json").read_text())
TYPES = {"string": ".*", "integer": "-?[0-9]+", "boolean": "true|false"}


class WrongError(Exception):
    """A request, or an answer, that the published API does not know."""


def closed(schema):
    """A schema that admits no name but those that it has: the server ignores, or refuses, what it does not know."""
    schema = copy.deepcopy(schema)
    for name, about in schema["definitions"].items():
        if about.get("type") == "object" and "additionalProperties" not in about:
            schema["definitions"][name]["additionalProperties"] = False
    return schema


CLOSED = closed({"definitions": API["definitions"]})


def held(value, schema, what):
    """Refuse a value that is not as its schema says."""
    errors = jsonschema.Draft4Validator(CLOSED | schema).iter_errors(value)
    if found := next(errors, None):
        raise WrongError(f"{what}: {found.message}")


def operation(method, path):
    """The published operation of a request, and the values in its path."""
    for template, methods in API["paths"].items():
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
        found = re.fullmatch(pattern, path)
        if found and method.lower() in methods:
            return methods[method.lower()], found.groupdict()
    raise WrongError(f"{method} {path} is not published")


def uploaded(kind, body):
    """The name and the bytes of the one file in a form."""
    boundary = re.fullmatch(r"multipart/form-data; boundary=(\S+)", kind)[1].encode()
    parts = body.split(b"--" + boundary)
    assert (parts[0], parts[2:]) == (b"", [b"--\r\n"]), "one part"
    head, _, content = parts[1].removeprefix(b"\r\n").partition(b"\r\n\r\n")
    name, file = re.search(r'form-data; name="(\w+)"; filename="([\w.]+)"', head.decode()).groups()
    return name, file, content.removesuffix(b"\r\n")


@dataclass
class Kfp:
    """What the server knows and what it was asked; `answers` are given instead of its own, by (method, last word)."""

    url: str = ""
    token: str = ""
    multi_user: bool = False
    answers: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)  # (method, path, query, body)
    wrong: list = field(default_factory=list)
    pipelines: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)  # the bytes of each version, by its id
    experiments: dict = field(default_factory=dict)
    recurring: dict = field(default_factory=dict)

    def calls(self):
        """What changes something, in order."""
        return [(method, path.rpartition("/")[2]) for method, path, _, _ in self.asked if method != "GET"]

    def answer(self, method, path, query, kind, body):
        """The status and the object with which a request is answered."""
        about, named = operation(method, path)
        given = self._checked(about, query, kind, body)
        self.asked.append((method, path, query, given))
        name = re.sub("(?<!^)(?=[A-Z])", "_", about["operationId"].rpartition("_")[2]).lower()
        status, found = getattr(self, name)(query, given, **named)
        if status == 200:
            held(found, about["responses"]["200"]["schema"], f"answer of {name}")
        return status, found

    def _checked(self, about, query, kind, body):
        """The body, once it and the query are what the operation takes."""
        known = {each["name"]: each for each in about["parameters"]} if "parameters" in about else {}
        for name, value in query.items():
            if known.get(name, {}).get("in") != "query" or not re.fullmatch(TYPES[known[name]["type"]], value):
                raise WrongError(f"{about['operationId']} takes no {name}={value}")
        if "filter" in query:
            held(json.loads(query["filter"]), {"$ref": "#/definitions/v2beta1Filter"}, "filter")
        places = {each["in"]: each for each in known.values()}
        if "formData" in places:
            name, file, content = uploaded(kind, body)
            if name != places["formData"]["name"]:
                raise WrongError(f"the file is called {name}")
            return file, content
        if "body" in places:
            held(json.loads(body), places["body"]["schema"], about["operationId"])
            return json.loads(body)
        if body:
            raise WrongError(f"{about['operationId']} takes no body")
        return None

    def _found(self, kept, query, **same):
        if self.multi_user and kept is not self.versions and not query.get("namespace"):
            raise WrongError("no namespace")
        (predicate,) = json.loads(query["filter"])["predicates"]
        names = predicate.get("string_values", {}).get("values", [predicate.get("string_value")])
        assert predicate["operation"] == ("IN" if "string_values" in predicate else "EQUALS")
        return [
            each for each in kept.values()
            if each[predicate["key"]] in names and all(each[name] == value for name, value in same.items())
        ]  # fmt: skip

    def get_healthz(self, query, given):
        return 200, {"multi_user": True} if self.multi_user else {}

    def list_pipelines(self, query, given):
        found = self._found(self.pipelines, query)
        return 200, {"pipelines": found} if found else {}

    def list_pipeline_versions(self, query, given, pipeline_id):
        found = self._found(self.versions, query, pipeline_id=pipeline_id)
        return 200, {"pipeline_versions": found} if found else {}

    def upload_pipeline(self, query, given):
        made = {"pipeline_id": f"p-{uuid.uuid4()}", "display_name": query["name"]}
        self.pipelines[made["pipeline_id"]] = made
        self._keep(made["pipeline_id"], query, given)
        return 200, made

    def upload_pipeline_version(self, query, given):
        same = {"pipeline_id": query["pipelineid"], "display_name": query["name"]}
        if any(same.items() <= each.items() for each in self.versions.values()):
            return 409, {"error_message": "Failed to create a pipeline version"}
        return 200, self._keep(query["pipelineid"], query, given)

    def _keep(self, pipeline, query, given):
        assert given[0].endswith((".yaml", ".zip", ".tar.gz")), "by its ending the server reads it"
        made = {"pipeline_id": pipeline, "pipeline_version_id": f"v-{uuid.uuid4()}", "display_name": query["name"]}
        made["description"] = query.get("description", "")
        self.versions[made["pipeline_version_id"]], self.files[made["pipeline_version_id"]] = made, given[1]
        return made

    def list_experiments(self, query, given):
        found = self._found(self.experiments, query)
        return 200, {"experiments": found} if found else {}

    def create_experiment(self, query, given):
        made = given | {"experiment_id": f"e-{uuid.uuid4()}"}
        return 200, self.experiments.setdefault(made["experiment_id"], made)

    def list_recurring_runs(self, query, given):
        found = self._found(self.recurring, query, experiment_id=query["experiment_id"])
        return 200, {"recurringRuns": found} if found else {}

    def create_recurring_run(self, query, given):
        made = given | {"recurring_run_id": f"r-{uuid.uuid4()}", "status": "ENABLED"}
        return 200, self.recurring.setdefault(made["recurring_run_id"], made)

    def delete_recurring_run(self, query, given, recurring_run_id):
        del self.recurring[recurring_run_id]
        return 200, {}


class _Handler(BaseHTTPRequestHandler):
    kfp: Kfp

    def log_message(self, *_):
        """Say nothing."""

    def _any(self):
        path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        planted = self.kfp.answers.get((self.command, path.rpartition("/")[2])) or self.kfp.answers.get("all")
        if planted:
            return planted(self)
        if self.kfp.token and self.headers.get("Authorization") != f"Bearer {self.kfp.token}":
            return self.send(401, {"error": "no such user"})
        try:
            return self.send(*self.kfp.answer(self.command, path, query, self.headers.get("Content-Type", ""), body))
        except WrongError as error:
            self.kfp.wrong.append(str(error))
            return self.send(400, {"error": str(error)})

    do_GET = do_POST = do_DELETE = _any  # noqa: N815  (http.server calls them so)

    def send(self, status, content, kind="application/json", **headers):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def serving(address="127.0.0.1", certificate=None, **known):
    """The server on a free port, with TLS if it has a certificate (a file with its key), until the block ends."""
    kfp = Kfp(**known)
    handler = type("Handler", (_Handler,), {"kfp": kfp})
    server = ThreadingHTTPServer((address, 0), handler)
    server.handle_error = lambda *_: None  # a client that goes away is what some tests want
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    kfp.url = f"http{'s' if certificate else ''}://{address}:{server.server_port}"
    try:
        yield kfp
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
