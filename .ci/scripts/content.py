"""The image's name by what is in it."""

import hashlib
import os
import subprocess

from package import UserError

# The last three are in the wheel.
SOURCES = ("docker", "image_classifier", "requirements/*.txt", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")


def content_hash() -> str:
    """The hash of every tracked file that determines the image, with its mode and its name, and of another base."""
    changed = subprocess.run(["git", "diff", "--name-only", "HEAD", "--", *SOURCES], capture_output=True, check=True)
    if changed.stdout:
        names = ", ".join(changed.stdout.decode(errors="replace").split("\n")[:4])
        raise UserError(f"changed and not committed: {names}", "commit it: the image is named by what is committed")
    listed = subprocess.run(["git", "ls-files", "-z", "--stage", "--", *SOURCES], capture_output=True, check=True)
    base = os.environ.get("BASE_IMAGE", "").encode()
    return hashlib.sha256(listed.stdout + base).hexdigest()[:32]
