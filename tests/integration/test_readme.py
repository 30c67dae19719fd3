"""What the README shows works as it is shown."""

import re
import shlex

import pytest

from image_classifier.cli import parse

pytestmark = pytest.mark.integration


def commands(text):
    """The commands in indented blocks, continued lines joined, prompts, comments, the reader's own words left out."""
    joined = re.sub(r"\\\n\s+", "", text)
    for line in re.findall(r"^    (?:\$ )?(image_classifier\S* .*)$", joined, flags=re.MULTILINE):
        yield shlex.split(line.replace("…", "--experiment_name e --run_name r"), comments=True)


def test_every_command_in_the_readme_is_one_the_program_takes(repository):
    found = list(commands((repository / "README.md").read_text(encoding="utf-8")))
    assert len(found) >= 9
    for program, *arguments in found:
        parse(program, arguments)


def test_the_python_in_the_readme_runs(repository, tmp_path, monkeypatch, capsys, one_cpu):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (code,) = re.findall(
        r"^```python\n(.*?)^```", (repository / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL
    )
    names = {}
    with one_cpu():
        exec(compile(code, "README.md", "exec"), names)  # noqa: S102
    assert names["run"].metrics()["accuracy"] > 0.9
    assert not names["model"].training
    assert f"{names['run'].metrics()['accuracy']}" in capsys.readouterr().out
