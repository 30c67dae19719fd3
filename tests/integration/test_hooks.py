"""The hooks pass a clean repository, and each of them finds what it is there for."""

import os
import re
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
    "drone-schema": (".drone.yml", "kind: pipeline\ntype: docker\nsteps: 1\n"),
    "zizmor": (".github/workflows/b.yaml", INJECTION),
}


# Those of `dvc install`, and when git runs them.
DVC = {"dvc-status": ["pre-commit"], "dvc-push": ["pre-push"], "dvc-checkout": ["post-checkout"]}


def run(folder, *command):
    """A command's exit code and what it said, with the programs of the lock on the PATH."""
    environment = {
        **os.environ,
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(folder.parent / "home"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    environment.pop("SKIP", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def hook(folder, name=""):
    """pre-commit's exit code and what it said."""
    return run(folder, "pre-commit", "run", *([name] if name else []), "--color", "never")


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
    assert {each["id"] for each in hooks} == PLANTED.keys() | elsewhere | DVC.keys()
    assert {each["id"]: each.get("stages", config["default_stages"]) for each in hooks if each["id"] in DVC} == DVC


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


@pytest.fixture
def pipeline(clean, repository):
    """A repository with these hooks installed, DVC set up as here, a file that DVC keeps in two versions, and a stage
    that nobody has run.
    """
    (clean / "later").mkdir()
    (clean / "later" / "dvc.yaml").write_text("stages:\n  later:\n    cmd: touch result\n    outs:\n      - result\n")
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore"):
        (clean / name).parent.mkdir(exist_ok=True)
        shutil.copy(repository / name, clean / name)
    for text in ("one", "two"):
        (clean / "data.txt").write_text(f"{text}\n")
        for command in ("dvc add -q data.txt", "git add --all", f"git commit -q -m {text}"):
            assert run(clean, *command.split()) == (0, "")
    bare = clean.parent / "bare.git"
    assert run(clean, "git", "init", "-q", "--bare", bare)[0] == 0
    assert run(clean, "git", "remote", "add", "origin", bare)[0] == 0
    code, said = run(clean, "pre-commit", "install")
    assert (code, said.count("installed at")) == (0, 3)
    return clean


def test_a_checkout_brings_the_data_of_its_commit(pipeline):
    assert run(pipeline, "git", "switch", "-q", "-c", "before", "HEAD~1")[0] == 0
    assert (pipeline / "data.txt").read_text() == "one\n"
    assert run(pipeline, "git", "switch", "-q", "work")[0] == 0
    assert (pipeline / "data.txt").read_text() == "two\n"


def test_a_push_takes_the_data_along(pipeline):
    remote = pipeline.parent / "image_classifier-dvc"
    assert not remote.exists()
    assert run(pipeline, "git", "push", "-q", "origin", "work")[0] == 0
    assert [path.read_text() for path in remote.rglob("*") if path.is_file()] == ["two\n"]


def test_a_commit_of_a_pipeline_shows_what_has_changed_and_any_other_commit_does_not(pipeline):
    (pipeline / "data.txt").write_text("three\n")
    (pipeline / "README.md").write_text("# Another\n")
    assert run(pipeline, "git", "add", "README.md")[0] == 0
    code, said = run(pipeline, "git", "commit", "-m", "x")
    assert code == 0, said
    assert "data.txt.dvc:" not in said
    (pipeline / "dvc.yaml").write_text("stages: {}\n")
    assert run(pipeline, "git", "add", "dvc.yaml")[0] == 0
    code, said = run(pipeline, "git", "commit", "-m", "y")
    assert code == 0, said
    assert re.search(r"data\.txt\.dvc:\s+changed outs:\s+modified:\s+data\.txt", said)


def test_the_lock_file_of_dvc_is_left_as_dvc_wrote_it(clean, git):
    (clean / "dvc.lock").write_text("cmd: image_classifier train \n  --config config.yaml\n")
    git(clean, "add", "--all")
    assert hook(clean)[0] == 0
