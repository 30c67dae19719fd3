"""GitHub's own parser, expression engine and language service, asked from Python."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def install(tools):
    """Node's path, with the packages of the lock beside this file; nothing is fetched while the lock is the same."""
    done, digest = (
        HERE / "node_modules" / ".lock",
        hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest(),
    )
    if not done.exists() or done.read_text() != digest:
        environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=HERE, env=environment, check=True)
        done.write_text(digest)
    return tools / "node"


class Engine:
    """One node process; each question is a function of engine.mjs."""

    def __init__(self, node):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([node, HERE / "engine.mjs"], **pipes)

    def ask(self, question, **given):
        self._process.stdin.write(json.dumps({"question": question, **given}) + "\n")
        self._process.stdin.flush()
        reply = json.loads(self._process.stdout.readline())
        if "error" in reply:
            raise ValueError(f"{question}: {reply['error']}")
        return reply.get("answer")

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()
