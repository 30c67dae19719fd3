"""`--type update`: a new version of the pipeline on a Kubeflow Pipelines server, and on request the run that recurs."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from image_classifier import files
from image_classifier.errors import UserError
from image_classifier.pipelines import client, graph
from image_classifier.pipelines.parameters import scopes_of
from image_classifier.pipelines.server import Server
from image_classifier.pipelines.storage import DOMAINS, Storage
from image_classifier.pipelines.use_case import read
from image_classifier.runs import provenance

RECURRING = "recurring"
_CRON_FIELDS = 6
_CRON_FIELD = re.compile(r"[0-9A-Za-z*/,?-]+")
_CRON = 'six fields, seconds first: "0 0 6 * * 1" is Monday at six, in the server\'s time zone'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What only `--type update` takes."""
    group = parser.add_argument_group(
        "update", "where the version goes; the token can only be given by a file or KFP_TOKEN"
    )
    text = "the server, as https://kubeflow.example.org/pipeline (default: KFP_HOST)"
    group.add_argument("--host", metavar="URL", help=text)
    text = "of a server with several users (default: KFP_NAMESPACE)"
    group.add_argument("--namespace", metavar="NAME", help=text)
    group.add_argument("--token_file", type=Path, metavar="FILE", help="holds the token (default: KFP_TOKEN)")
    text = "keep pipeline.yaml and its zip here too, below the version's name: a folder or s3://bucket/prefix"
    group.add_argument("--package_store", metavar="PLACE", help=text)
    text = f"have the version run at these times, in place of the run that recurred for the use case; {_CRON}"
    group.add_argument("--cron", metavar="TIMES", help=text)


def update(
    arguments: argparse.Namespace, parameters: Mapping[str, str], compiled: Callable[[], Mapping[str, bytes]]
) -> int:
    """Upload what is compiled, files by their names, as the version that its commit and its bytes name."""
    server = Server(_host(arguments), arguments.namespace or os.environ.get("KFP_NAMESPACE", ""), _token(arguments))
    package = compiled()  # takes seconds, which a wrong address or token need not
    version = version_of(package)
    about = f"runs {arguments.image}"
    if arguments.package_store:
        about += f", kept in {_stored(arguments.package_store, version, package)}"
    with files.scratch_folder() as folder:
        (name, text), *_ = package.items()
        files.write_bytes(folder / name, text)
        done = client.update(server, folder / name, version, about)
    how = "uploaded" if done.new else "there already"
    sys.stdout.write(f"version {version} of {graph.NAME} is {how}: {client.link(server, done)}\n")
    if arguments.cron:
        name = f"{graph.NAME}-{parameters['use_case']}"
        new = client.recur(server, done, name, arguments.cron, {**parameters, "run_type": RECURRING})
        sys.stdout.write(f"{name} recurs at {arguments.cron!r}{'' if new else ', as before'}\n")
    return 0


def check(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be meant, before anything is compiled or asked for."""
    if arguments.type != "update":
        given = [
            name for name in ("host", "namespace", "token_file", "package_store", "cron") if getattr(arguments, name)
        ]
        if given:
            raise UserError(f"--{given[0]} is for --type update, not for {arguments.type}", "leave it out")
        return
    _host(arguments)
    if not arguments.cron:
        return
    fields = arguments.cron.split(" ")
    if len(fields) != _CRON_FIELDS or not all(map(_CRON_FIELD.fullmatch, fields)):
        raise UserError(f"--cron {arguments.cron!r} is not six fields", _CRON)
    if arguments.run_type == "simulation":
        raise UserError("a run by --cron is a recurring one, not a simulation", "leave out --run_type or --cron")
    scopes_of(arguments.data_scopes)
    read(arguments.use_case)


def version_of(package: Mapping[str, bytes]) -> str:
    """The name of a version: its commit, and the digest of its bytes, in which images and defaults stand too.

    Without the digest one commit with two images, or a checkout with changes, would give one name to two pipelines.
    """
    (text, *_) = package.values()
    made = provenance.collect()
    commit = str(made["commit"] or "no-commit")[:12] + ("-dirty" if made["dirty"] else "")
    return f"{commit}-{files.digest_bytes(text)[:8]}"


def _host(arguments: argparse.Namespace) -> str:
    host = arguments.host or os.environ.get("KFP_HOST")
    if not host:
        raise UserError("no server is named", "--host https://kubeflow.example.org/pipeline, or KFP_HOST")
    return str(host)


def _token(arguments: argparse.Namespace) -> str:
    """The token, or nothing: then KFP's client looks for what it knows in the environment."""
    token = os.environ.get("KFP_TOKEN", "").strip()
    if arguments.token_file:
        try:
            token = arguments.token_file.read_text(encoding="utf-8").strip()
        except ValueError as error:
            raise UserError(f"{arguments.token_file} holds no token", "put the token alone into it") from error
        if not token:
            raise UserError(f"{arguments.token_file} is empty", "put the token alone into it")
    if not re.fullmatch(r"[!-~]*", token):  # what is no header's text would be shown by the error about it
        raise UserError("the token has characters that no token has", "put the token alone into KFP_TOKEN or the file")
    return token


def _stored(store: str, version: str, package: Mapping[str, bytes]) -> str:
    """Where the package is kept now, for a cluster whose API cannot be reached from here."""
    storage = Storage(store, DOMAINS[0])
    for name, content in package.items():
        storage.write(f"{storage.root}/{version}/{name}", content)
    return f"{storage.root}/{version}"
