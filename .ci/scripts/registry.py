"""The container registry: a login that lasts as long as it is needed and is written to no place that stays."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from package import UserError
from step import variable

NAME = "image-classifier"


def published() -> str:
    """The name under which this repository's image is published, without a tag."""
    return f"{os.environ.get('REGISTRY') or 'ghcr.io'}/{variable('GITHUB_REPOSITORY').lower()}/{NAME}"


def local() -> str:
    """The name that docker/build.sh gives the image on this machine."""
    return os.environ.get("IMAGE_NAME") or NAME


@contextlib.contextmanager
def logged_in() -> Iterator[dict[str, str]]:
    """The environment in which docker knows the job's token; the token itself goes through a pipe."""
    with tempfile.TemporaryDirectory(dir=variable("RUNNER_TEMP")) as folder:
        environment = {**os.environ, "DOCKER_CONFIG": folder}
        token = environment.pop("GITHUB_TOKEN", "")
        login = ["docker", "login", published().partition("/")[0], "--username", variable("GITHUB_ACTOR")]
        if token:
            subprocess.run(
                [*login, "--password-stdin"], input=token, env=environment, text=True, stdout=sys.stderr, check=False
            )
        yield environment


def inspect(image: str, template: str) -> str:
    """A fact about a local image."""
    command = ["docker", "image", "inspect", "--format", template, image]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise UserError(f"there is no image {image}", found.stderr.strip())
    return found.stdout.strip()
