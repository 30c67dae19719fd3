"""The examples in repositories of their own, run by the real DVC and git."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import warm

PROGRAMS = Path(sys.executable).parent
NEEDED = (".dvc", ".dvcignore", ".gitignore", "examples", "image_classifier")
LOCK = "requirements/requirements-prod.txt"


class Project:
    """A git repository with the examples; its commands see nobody's own settings, caches and servers."""

    def __init__(self, folder, home, one_cpu):
        self.folder, self.one_cpu = folder, one_cpu
        own = {
            "PATH": f"{warm.commands()}:{PROGRAMS}:{os.environ['PATH']}",
            "MLFLOW_TRACKING_URI": "off",
            "DVC_NO_ANALYTICS": "1",
        }
        own |= {name: str(home / name) for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "XDG_CACHE_HOME")}
        own |= {"DVC_SITE_CACHE_DIR": str(home / "site"), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        own |= {f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self.environment = os.environ | own

    def run(self, *command, where=".", check=True):
        """The finished command, given in a folder of the repository."""
        environment = {name: value for name, value in self.environment.items() if value is not None}
        command = [str(word) for word in command]
        with self.one_cpu():
            done = subprocess.run(
                command, cwd=self.folder / where, env=environment, capture_output=True, text=True, timeout=300
            )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done

    def dvc(self, *arguments, where="."):
        """What DVC printed."""
        return self.run("dvc", *arguments, where=where).stdout

    def commit(self, message):
        """Commit everything that git does not ignore; its names."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "-q", "-m", message)
        return self.run("git", "show", "--format=", "--name-only", "HEAD").stdout.split()

    def edit(self, path, *changes):
        """Replace texts that stand in a file once."""
        text = (self.folder / path).read_text()
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} in {path}"
            text = text.replace(old, new)
        (self.folder / path).write_text(text)

    def repro(self, example):
        """The stages that `dvc repro` ran in an example, those it left alone, and what the commands printed."""
        printed = self.dvc("repro", where=f"examples/{example}")
        ran = re.findall(r"^Running stage '(\w+)'", printed, flags=re.MULTILINE)
        left = re.findall(r"^Stage '(\w+)' (?:didn't change|is cached)", printed, flags=re.MULTILINE)
        return ran, left, printed

    def clone(self, folder):
        """A fresh clone, which shares neither DVC's cache nor the prepared stores."""
        self.run("git", "clone", "-q", self.folder, folder)
        other = Project(folder, folder.parent / f"{folder.name}-home", self.one_cpu)
        other.environment |= {name: value for name, value in self.environment.items() if name.startswith("AWS_")}
        return other


@pytest.fixture(scope="session")
def make_project(repository, repository_files, tmp_path_factory, one_cpu):
    """make_project(name) is a repository with what would be committed next of the examples, and all they depend on."""

    def make(name):
        home = tmp_path_factory.mktemp(name)
        folder = home / "a project"
        for path in repository_files:
            if path.parts[0] in NEEDED or str(path) == LOCK:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(repository / path, folder / path)
        project = Project(folder, home, one_cpu)
        project.run("git", "init", "-q", "-b", "main")
        project.commit("examples")
        return project

    return make
