"""Commands run in forks of one process that has imported what they need and has done nothing else.

torch, scikit-learn and MLflow take three seconds to import, and the tests give some hundreds of commands. A fork of the
server below has its own arguments, folder, environment, streams, signals and exit code; only the imports are not its
own. Where the process itself is tested (its start, its end by a signal, what it imports) a test starts a real one.
"""

import array
import atexit
import contextlib
import functools
import importlib
import json
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
from pathlib import Path

PROGRAMS = {
    "image_classifier": ("image_classifier.main", "main"),
    "image_classifier_trainer": ("image_classifier.main", "trainer"),
    "dvc": ("dvc.cli", "main"),
    "step": ("image_classifier.pipelines.step", "main"),
    "kubeflow": ("image_classifier.pipelines.kubeflow", "main"),
}
IMPORTED = (  # what one would wait for; a module that is not there is imported by no command either
    "torch", "torchvision", "sklearn.ensemble", "sklearn.linear_model", "sklearn.naive_bayes", "sklearn.neighbors",
    "sklearn.svm", "skops.io", "pyarrow.csv", "pyarrow.parquet", "matplotlib.pyplot", "PIL.Image", "omegaconf", "tqdm",
    "timm", "mlflow", "mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store", "dvc.cli", "dvc.repo", "s3fs",
)  # fmt: skip


def run(program, *arguments, folder, environment=None, timeout=300):
    """The finished command, as subprocess.run would give it; `environment` instead of this process's own."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, open(os.devnull, "rb") as nothing:
        words = [str(word) for word in arguments]
        environment = os.environ if environment is None else environment
        streams = [each.fileno() for each in (nothing, output, errors)]
        code = ask(_address(), program, words, folder, environment, streams, timeout)
        said = []
        for stream in (output, errors):
            stream.seek(0)
            said.append(stream.read().decode())
    return subprocess.CompletedProcess([program, *words], code, *said)


def ask(address, program, words, folder, environment, streams, timeout=None):
    """Have the server run the command with these streams; its exit code, negative when a signal ended it."""
    task = {"program": program, "words": words, "folder": str(folder), "environment": dict(environment)}
    task["cpus"] = list(os.sched_getaffinity(0))
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(timeout)
        link.connect(address)
        data = json.dumps(task).encode()
        link.sendmsg([len(data).to_bytes(8)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))])
        link.sendall(data)
        answer = link.recv(8)
    assert answer, "the server of the warm commands ended"
    return int(answer)


@functools.cache
def commands():
    """A folder for the PATH with the programs as the server runs them: for what calls them by name."""
    address = _address()
    folder = Path(address).parent
    asking = folder / "asking.py"
    asking.write_text(
        f"import os, sys\nsys.path.append({str(Path(__file__).parent)!r})\nimport warm\n"
        f"code = warm.ask({address!r}, sys.argv[1], sys.argv[2:], os.getcwd(), os.environ, [0, 1, 2])\n"
        "sys.exit(code if code >= 0 else 128 - code)\n"
    )
    for name in PROGRAMS:
        # -S and -I: a start of 10 ms. By a shell: the first line of a script can hold no path with a space.
        words = shlex.join([sys.executable, "-IS", str(asking), name])
        (folder / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


@functools.cache
def _address():
    """Where a server of this process listens; it ends with this process."""
    folder = tempfile.mkdtemp(prefix="warm-")
    atexit.register(shutil.rmtree, folder)
    server = subprocess.Popen(
        [sys.executable, __file__, f"{folder}/socket"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    atexit.register(server.communicate)
    assert server.stdout.readline() == b"ready\n", "the server of the warm commands did not start"
    return f"{folder}/socket"


def serve(address):
    """Fork for each task until whoever started this process is gone."""
    for name in IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for path in sorted((Path(__file__).parents[1] / "image_classifier").rglob("*.py")):
        if path.stem not in ("__init__", "__main__"):
            importlib.import_module(".".join(path.relative_to(Path(__file__).parents[1]).with_suffix("").parts))
    assert threading.active_count() == 1, "a fork would lack the other threads"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who has answered is not waited for
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(64)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while sys.stdin not in select.select([door, sys.stdin], [], [])[0]:
            link, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _answer(link)
            link.close()


def _answer(link):
    """Run one task in a fork of this fork, and tell how it ended; whoever does not wait for it ends it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, streams, *_ = socket.recv_fds(link, 8, 3)
    data = b""
    while len(data) < int.from_bytes(length):
        data += link.recv(1 << 16)
    child = os.fork()
    if child == 0:
        link.close()
        _become(json.loads(data), streams)
    if link in select.select([link, os.pidfd_open(child)], [], [])[0]:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(OSError):
        link.sendall(str(code).encode())
    os._exit(0)


def _become(task, streams):
    """Be the process of the task, to its end."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(task["environment"])
    os.chdir(task["folder"])
    os.sched_setaffinity(0, task["cpus"])
    sys.argv = [task["program"], *task["words"]]
    sys.modules["__main__"] = types.ModuleType("__main__")  # or its processes would import this file
    module, name = PROGRAMS[task["program"]]
    code = 0
    try:
        code = getattr(importlib.import_module(module), name)()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 (as the interpreter does)
        sys.excepthook(*sys.exc_info())
        code = 1
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    serve(sys.argv[1])
