"""The hooks pass a clean repository, and each of them finds what it is there for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROGRAMS = Path(sys.executable).parent
# Assembled here, so that the hooks that read this file find neither a key nor a secret nor a conflict.
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\n"
SECRET = "password = 'xK9" + "vQ2mZ8rT4wL7p'\n"
CONFLICT = "<" * 7 + " HEAD\na\n" + "=" * 7 + "\nb\n" + ">" * 7 + " other\n"
INJECTION = """\
on: issues
permissions: {}
jobs:
  greet:
    runs-on: ubuntu-24.04
    steps:
      - run: echo "${{ github.event.issue.title }}"
"""

PLANTED = {
    "merge-conflict": ("notes.md", CONFLICT),
    "case-conflict": ("Readme.MD", "x\n"),
    "large-files": ("big.txt", "x" * 79 + "\n"),
    "private-keys": ("key.txt", KEY),
    "secrets": ("settings.py", SECRET),
    "end-of-file": ("end.txt", "no newline"),
    "trailing-whitespace": ("blank.txt", "x \n"),
    "line-ending": ("dos.txt", "a\r\nb\r\n"),
    "yaml": ("a.yaml", "a: [\n"),
    "json": ("a.json", "{,}\n"),
    "toml": ("a.toml", "a = \n"),
    "ruff-check": ("a.py", "import os\n"),
    "ruff-format": ("b.py", '"""It."""\n\nx = 1;\n'),
    "shellcheck": ("a.sh", "#!/bin/bash\ncd $1\n"),
    "hadolint": ("Dockerfile", "FROM debian\nRUN cd /tmp\n"),
    "workflow-schema": (".github/workflows/a.yaml", "on: nothing\njobs: 1\n"),
    "dependabot-schema": (".github/dependabot.yml", "version: 3\n"),
    "zizmor": (".github/workflows/b.yaml", INJECTION),
}


def hook(folder, name=""):
    """pre-commit's exit code and what it said."""
    environment = {
        **os.environ,
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(folder.parent / "home"),
    }
    environment.pop("SKIP", None)
    command = [PROGRAMS / "pre-commit", "run", *([name] if name else []), "--color", "never"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def clean(tmp_path, repository, git):
    """A repository with these hooks and nothing wrong, on a branch."""
    folder = tmp_path / "clean"
    folder.mkdir()
    for name in (".pre-commit-config.yaml", "pyproject.toml"):
        shutil.copy(repository / name, folder)
    (folder / "README.md").write_text("# A repository\n")
    git(folder, "init", "-q", "-b", "work")
    git(folder, "add", "--all")
    return folder


def test_every_hook_is_a_local_program_of_the_lock_and_is_tested_here(repository):
    config = yaml.safe_load((repository / ".pre-commit-config.yaml").read_text())
    assert [each["repo"] for each in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {each["language"] for each in hooks} == {"system"}
    for each in hooks:
        assert (PROGRAMS / each["entry"].split()[0]).exists(), each["entry"]
    elsewhere = {"no-commit-to-main", "broken-symlinks", "destroyed-symlinks", "executables-have-shebangs"}
    assert {each["id"] for each in hooks} == PLANTED.keys() | elsewhere


def test_a_clean_repository_passes_all_hooks(clean):
    code, said = hook(clean)
    assert code == 0, said


@pytest.mark.parametrize("name", PLANTED)
def test_each_hook_finds_what_it_is_there_for(name, clean, git):
    path, text = PLANTED[name]
    (clean / path).parent.mkdir(parents=True, exist_ok=True)
    (clean / path).write_bytes((text * (20_000 if name == "large-files" else 1)).encode())
    git(clean, "add", "--all")
    code, said = hook(clean, name)
    assert code == 1, said
    assert "Failed" in said


def test_links_that_lead_nowhere_or_were_flattened_are_found(clean, git):
    (clean / "link").symlink_to("README.md")
    git(clean, "add", "--all")
    git(clean, "commit", "-q", "-m", "x")
    assert hook(clean, "broken-symlinks")[0] == 0
    (clean / "link").unlink()
    (clean / "link").symlink_to("nowhere")
    git(clean, "add", "--all")
    assert hook(clean, "broken-symlinks")[0] == 1
    (clean / "link").unlink()
    (clean / "link").write_text("README.md")
    git(clean, "add", "--all")
    assert hook(clean, "destroyed-symlinks")[0] == 1


def test_an_executable_without_a_shebang_is_found(clean, git):
    (clean / "tool").write_text("echo\n")
    (clean / "tool").chmod(0o755)
    git(clean, "add", "--all")
    assert hook(clean, "executables-have-shebangs")[0] == 1


def test_a_commit_to_main_is_refused_and_one_to_a_branch_is_not(clean, git):
    git(clean, "commit", "-q", "-m", "x")
    assert hook(clean, "no-commit-to-main")[0] == 0
    git(clean, "switch", "-q", "-c", "main")
    assert hook(clean, "no-commit-to-main")[0] == 1
