"""Get the trainer's image: pulled if one was published with the same content, else built here."""

import os
import subprocess
import sys

import registry
from content import content_hash
from package import UserError
from step import run, set_outputs


def main() -> None:
    """Leave the image's id: what is trained with cannot be changed by giving its name to another."""
    published = f"{registry.published()}:{content_hash()}"
    if pulled(published):
        name = published
    else:
        build()
        name = registry.local()
    set_outputs({"image": registry.inspect(name, "{{.Id}}")})


def pulled(name: str) -> bool:
    """Whether the registry had the image."""
    with registry.logged_in() as environment:
        done = subprocess.run(["docker", "pull", "--quiet", name], env=environment, stdout=sys.stderr, check=False)
    sys.stderr.write(f"{name} was {'pulled' if done.returncode == 0 else 'not pulled: it is built here'}\n")
    return done.returncode == 0


def build() -> None:
    """Build the image as README.md says, without the token in its environment."""
    environment = {name: value for name, value in os.environ.items() if name != "GITHUB_TOKEN"}
    environment["IMAGE_NAME"] = registry.local()
    done = subprocess.run(["bash", "-c", "source docker/build.sh"], env=environment, check=False)
    if done.returncode:
        raise UserError(f"docker/build.sh ended with {done.returncode}", "its messages are above")


if __name__ == "__main__":
    run(main)
