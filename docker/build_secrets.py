"""Write what reaches the package index from this machine to files that docker hands to the build as secrets.

build_secrets.py FOLDER writes FOLDER/pip_conf (pip's settings, wherever they came from: files or environment) and
FOLDER/ca (the certificates to trust), each only if there is something to write. Needs pip in the running interpreter.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

# What says where packages are and how to get there. The rest of a user's settings is none of the image's business.
PLACES = ("index-url", "extra-index-url", "find-links")
PASSED_ON = (*PLACES, "trusted-host", "proxy", "timeout", "default-timeout", "retries")
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
LATER_WINS = ("global", "install", ":env:")


def effective_settings(listing: str) -> dict[str, str]:
    """What `pip config list` says, as one table in which the stronger source has won."""
    settings: dict[str, str] = {}
    for section in LATER_WINS:
        for name, value in re.findall(rf"^{re.escape(section)}\.([\w-]+)=(.*)$", listing, flags=re.MULTILINE):
            settings[name.replace("_", "-")] = str(ast.literal_eval(value))
    return settings


def reachable(place: str) -> bool:
    """Whether a build in a container can go there; a folder of this machine it cannot see."""
    return re.match(r"https?://", place) is not None


def configuration(settings: dict[str, str]) -> tuple[str, list[str]]:
    """A pip.conf for the build, empty if there is nothing to say, and the settings that lost a local folder."""
    lines, shortened = [], []
    for name in PASSED_ON:
        words = settings.get(name, "").split()
        kept = [word for word in words if reachable(word)] if name in PLACES else words
        if kept != words:
            shortened.append(name)
        if kept:
            lines.append(f"{name} = " + "\n    ".join(kept))
    return "[global]\n" + "\n".join(lines) + "\n" if lines else "", shortened


def certificates(settings: dict[str, str], environment: dict[str, str]) -> Path | None:
    """The file of certificates that pip would use here, if one is named."""
    named = [settings.get("cert"), *(environment.get(name) for name in CERTIFICATES)]
    return next((Path(name) for name in named if name and not Path(name).is_dir()), None)


def write_secret(path: Path, content: bytes) -> None:
    """A file that only its owner reads."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(content)


def main(folder: Path) -> int:
    """Write the files; 2 if pip cannot be asked."""
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    if asked.returncode:
        hint = "repair pip.conf, or choose an interpreter that has pip: PYTHON=/path/to/python3"
        said = " ".join(asked.stderr.split())
        sys.stderr.write(f"error: pip's settings could not be read: {said}\n hint: {hint}\n")
        return 2
    settings = effective_settings(asked.stdout)
    trusted = certificates(settings, dict(os.environ))
    if trusted and not os.access(trusted, os.R_OK):
        sys.stderr.write(f"error: {trusted} cannot be read\n hint: PIP_CERT=FILE names the certificates to trust\n")
        return 2
    text, shortened = configuration(settings)
    if shortened:
        sys.stderr.write(f"note: the build cannot see the local folders in pip's {', '.join(shortened)}\n")
    if text:
        write_secret(folder / "pip_conf", text.encode())
    if trusted:
        write_secret(folder / "ca", trusted.read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
