"""A PostgreSQL server of the tests' own, on a free port, which nothing outlives."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from glob import glob
from pathlib import Path

USER, PASSWORD = "reader", "canary-9f2c'%&"  # pragma: allowlist secret
_NOBODY = 65534  # PostgreSQL refuses to run as root


def programs():
    """The folder of initdb and postgres, which Debian keeps off the PATH; None where there is no PostgreSQL."""
    found = shutil.which("initdb") or next(iter(sorted(glob("/usr/lib/postgresql/*/bin/initdb"), reverse=True)), None)
    return found and Path(found).parent


@contextlib.contextmanager
def server(folder):
    """The port of a running server that asks for USER's PASSWORD; `folder` is new and holds its data."""
    folder.mkdir()
    person = {}
    if os.geteuid() == 0:
        person = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        os.chown(folder, _NOBODY, _NOBODY)
        for parent in folder.parents:  # pytest's folders are closed to others
            if parent != Path("/") and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    data, word = folder / "data", folder / "word"
    word.write_text(PASSWORD)
    word.chmod(0o644)
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "check": True} | person
    initdb = ["initdb", "-D", data, "-U", USER, f"--pwfile={word}", "--auth=scram-sha-256", "--no-sync"]
    subprocess.run([programs() / initdb[0], *initdb[1:]], **quiet)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F", "-c", "shared_buffers=32MB"]
    options += ["-c", "log_statement=all"]
    with open(folder / "log", "wb") as log:
        running = subprocess.Popen([programs() / "postgres", *options], cwd=folder, stderr=log, stdout=log, **person)
    try:
        while not (data / "postmaster.pid").exists() or "ready" not in (data / "postmaster.pid").read_text():
            assert running.poll() is None, (folder / "log").read_text()
            time.sleep(0.02)
        yield port
    finally:
        running.send_signal(signal.SIGINT)  # at once, in order
        running.wait()
