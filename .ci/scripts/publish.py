"""Push the built image under its content's hash and, for a version's tag, under the version."""

import os
import re
import subprocess
import sys

import registry
from content import content_hash
from package import UserError
from step import run, set_outputs, variable


def main() -> None:
    """Leave the name and the digest under which the registry has the image."""
    name = registry.published()
    tags = [content_hash(), *version()]
    with registry.logged_in() as environment:
        for tag in tags:
            docker("tag", registry.local(), f"{name}:{tag}", environment=environment)
            docker("push", "--quiet", f"{name}:{tag}", environment=environment)
    known = registry.inspect(registry.local(), "{{range .RepoDigests}}{{println .}}{{end}}").splitlines()
    digests = {each.removeprefix(f"{name}@") for each in known if each.startswith(f"{name}@")}
    if len(digests) != 1:
        raise UserError(f"the registry has {len(digests)} digests for one image", "push again")
    set_outputs({"name": name, "digest": digests.pop()})


def version() -> list[str]:
    """`1.2.3` for the tag v1.2.3; nothing where a branch is published."""
    if os.environ.get("GITHUB_REF_TYPE") != "tag":
        return []
    tag = variable("GITHUB_REF_NAME")
    if not re.fullmatch(r"v[0-9]{1,9}(\.[0-9]{1,9}){2}([.-]?[a-z0-9]{1,20}){0,3}", tag):
        raise UserError(f"the tag {tag!r} is no version", "name it like v1.2.3 or v1.2.3-rc.1")
    return [tag.removeprefix("v")]


def docker(*arguments: str, environment: dict[str, str]) -> None:
    """Run docker; a failure is an error."""
    done = subprocess.run(["docker", *arguments], env=environment, stdout=sys.stderr, check=False)
    if done.returncode:
        raise UserError(f"docker {arguments[0]} ended with {done.returncode}", "its message is above")


if __name__ == "__main__":
    run(main)
