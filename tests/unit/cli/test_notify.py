"""Notify says in Markdown what a run or a sweep is worth."""

import shutil

import pytest

from image_classifier import files, runs, webhook
from image_classifier.main import main

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def nobody_listens(monkeypatch):
    monkeypatch.delenv(webhook.VARIABLE, raising=False)


def test_a_run_is_told_with_its_figures_and_what_was_chosen(command, trained, tmp_path):
    code, printed, _ = command("notify", "e/r")
    assert code == 0
    assert printed.startswith("## e/r\n")
    assert f"**{100 * trained.metrics()['accuracy']:.1f} %** of 27 test examples" in printed
    assert "| num_epochs | 1 \\(Python\\) |" in printed
    assert trained.record["files"]["model.pth"]["sha256"] in printed
    assert command("notify", "e/r", "--output", tmp_path / "s.md") == (0, "", "")
    assert (tmp_path / "s.md").read_text() == printed


def test_a_run_is_compared_with_the_parent_that_it_started_from(trained, tmp_path, capsys):
    for name in ("parent", "child"):
        shutil.copytree(trained.folder, tmp_path / "e" / name)
    record = dict(trained.record)
    record["config"] = record["config"] | {"pretrained_model": "e/parent/model.pth"}
    record["card"] = record["card"] | {"parent_sha256": record["files"]["model.pth"]["sha256"]}
    files.write_json(tmp_path / "e" / "child" / "run.json", record)
    assert main(["notify", "e/child", "--experiments_folder", str(tmp_path)]) == 0
    assert "e/parent |" in capsys.readouterr().out
    parent = tmp_path / "e" / "parent" / "run.json"
    for other in (
        {"status": runs.UNFINISHED},
        {"files": {**record["files"], "model.pth": record["files"]["metrics.json"]}},
    ):
        files.write_json(parent, {name: value for name, value in trained.record.items() if name != "files"} | other)
        assert main(["notify", "e/child", "--experiments_folder", str(tmp_path)]) == 0
        assert "e/parent |" not in capsys.readouterr().out


def test_a_summary_is_markdown_and_needs_a_run(command):
    assert "--output s.txt does not end in .md" in command("notify", "e/r", "--output", "s.txt")[2]
    code, printed, said = command("notify", "e/s")
    assert (code, printed) == (2, "")
    assert "e/s is not a run" in said
