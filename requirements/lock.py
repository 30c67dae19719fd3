"""Compile every requirements-*.in into its .txt, in the order in which they constrain each other. For `make lock`.

Each .txt begins with the digest of the .in it was made from, so that a test can tell when one was forgotten.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LAYERS = ("build", "prod", "pipelines", "kubeflow", "spark", "image", "cq", "dev")
# pip's settings on the machine that compiles must not reach the lock: a folder of local builds would pin
# `torch==2.13.0+cpu`, which exists nowhere else. An index named by PIP_INDEX_URL is used, and not written down.
NEUTRAL = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
OPTIONS = ("--generate-hashes", "--strip-extras", "--allow-unsafe", "--no-emit-find-links", "--no-emit-index-url")


def digest(source: Path) -> str:
    """The sha256 of what a .in asks for: its lines without comments, blanks and order."""
    lines = (line.split("#")[0].split() for line in source.read_text(encoding="utf-8").splitlines())
    asked = sorted(" ".join(words) for words in lines if words)
    return hashlib.sha256("\n".join(asked).encode()).hexdigest()


def digest_line(source: Path) -> str:
    """The first line of the .txt that was compiled from `source`."""
    return f"# sha256 of {source.name}: {digest(source)}"


def compile_layer(layer: str, extra: list[str]) -> None:
    """Write one .txt from its .in; pins already there are kept where they fit."""
    source = FOLDER / f"requirements-{layer}.in"
    target = source.with_suffix(".txt")
    command = [sys.executable, "-m", "piptools", "compile", "--quiet", *OPTIONS, *extra]
    command += [f"--output-file={target.relative_to(FOLDER.parent)}", str(source.relative_to(FOLDER.parent))]
    environment = os.environ | NEUTRAL | {"CUSTOM_COMPILE_COMMAND": "make lock"}
    subprocess.run(command, cwd=FOLDER.parent, env=environment, check=True)
    target.write_text(f"{digest_line(source)}\n{target.read_text(encoding='utf-8')}", encoding="utf-8")
    print(f"{target.name}: {sum('==' in line for line in target.read_text(encoding='utf-8').splitlines())} packages")


def oldest_python() -> str:
    """The lowest Python the package runs on: a lock made on a newer one may lack what the old one needs."""
    with (FOLDER.parent / "pyproject.toml").open("rb") as stream:
        return str(tomllib.load(stream)["project"]["requires-python"]).removeprefix(">=")


def main() -> int:
    """Compile all layers, or say what stopped it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions instead of keeping pins")
    arguments = parser.parse_args()
    running = "{}.{}".format(*sys.version_info)
    if running != oldest_python():
        sys.stderr.write(f"error: this is Python {running}, the lock is made on {oldest_python()}\n")
        sys.stderr.write(f" hint: PYTHON=python{oldest_python()} make lock\n")
        return 2
    for layer in LAYERS:
        try:
            compile_layer(layer, ["--upgrade"] if arguments.upgrade else [])
        except subprocess.CalledProcessError as failed:
            sys.stderr.write(f"error: requirements-{layer}.in could not be compiled (above)\n")
            return failed.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
