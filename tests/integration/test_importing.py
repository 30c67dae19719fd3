"""Importing does nothing, and asking for help loads nothing heavy."""

import ast
import json
import os
import subprocess
import sys

import pytest

# Third-party modules first: what they do when imported is theirs. Then the state, our modules, and the state again.
OBSERVE = """
import importlib, json, logging, os, signal, sys, threading
from pathlib import Path

def state():
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "kernel threads": len(list(Path("/proc/self/task").iterdir())),
        "files": sorted(str(path) for path in Path(os.environ["HOME"]).rglob("*")),
        "log handlers": [str(handler) for handler in logging.getLogger().handlers],
        "signal handlers": [str(signal.getsignal(number)) for number in signal.valid_signals()],
        "recursion limit": sys.getrecursionlimit(),
        "path": list(sys.path),
    }

foreign, ours = json.loads(sys.argv[1])
for name in foreign:
    importlib.import_module(name)
before = state()
for name in ours:
    importlib.import_module(name)
after = state()
print(json.dumps({key: [before[key], after[key]] for key in before if before[key] != after[key]}))
"""


def foreign_modules(trees):
    """Every module from outside the package that an import statement names, its parents included."""
    names = set()
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module)
    return sorted(name for name in names if name.split(".")[0] != "image_classifier")


def changes(foreign, ours, home, path):
    """What importing `ours` changed in a fresh process, with everything written to `home`."""
    environment = {
        "HOME": str(home),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(path),
    }
    command = [sys.executable, "-c", OBSERVE, json.dumps([foreign, ours])]
    ran = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def test_importing_every_module_changes_nothing(package_trees, repository, tmp_path):
    assert changes(foreign_modules(package_trees), sorted(package_trees), tmp_path, repository) == {}


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("import os; os.environ['SEED'] = '1'", "environment"),
        ("import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()", "threads"),
        ("from pathlib import Path; Path('left_behind').touch()", "files"),
        ("import logging; logging.basicConfig()", "log handlers"),
        ("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)", "signal handlers"),
    ],
)
def test_a_module_that_acts_when_imported_is_found(source, changed, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "acting.py").write_text(source)
    assert changed in changes([], ["acting"], home, tmp_path)


def test_help_loads_neither_torch_nor_another_heavy_library(tmp_path):
    script = (
        "import runpy, sys\n"
        "sys.argv = ['image_classifier_trainer', '--help']\n"
        "try:\n    runpy.run_module('image_classifier.main', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'torchvision', 'sklearn', 'matplotlib', 'PIL', 'mlflow'}\n"
        "print('LOADED', *sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "--experiment_name" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "LOADED"
