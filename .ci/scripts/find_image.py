"""Name the published image that the pipeline's steps run in: that of the checked-out content."""

import subprocess
import sys

import registry
from content import content_hash
from step import annotate, run, set_outputs


def main() -> None:
    """Leave the image's name; a cluster waits for one that is not published yet, so that is a warning."""
    name = f"{registry.published()}:{content_hash()}"
    with registry.logged_in() as environment:
        # The client asks the registry itself; as the daemon does, it needs no TLS with this machine's own.
        command = ["docker", "manifest", "inspect", *(["--insecure"] if name.startswith("127.") else []), name]
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=sys.stderr, check=False)
    if done.returncode:
        annotate("warning", f'{name} was not found: run "Publish the image" on this commit, runs of the pipeline wait')
    set_outputs({"image": name})


if __name__ == "__main__":
    run(main)
