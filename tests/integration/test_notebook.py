"""The notebooks run from top to bottom, and show what they say they show."""

import ast
import base64
import os
import re

import nbformat
import pytest
import warm
from nbclient import NotebookClient

pytestmark = [
    pytest.mark.integration,
    # A kernel leaves its sockets to the garbage collector, and asyncio its loop; neither is ours to close.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def executed(repository, tmp_path, monkeypatch, one_cpu):
    """executed(name) is the pictures that a notebook shows, and all that it prints."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")

    def execute(name):
        notebook = nbformat.read(repository / "notebooks" / name, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = []
        with one_cpu():
            NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
        outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
        pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
        streams = [output for output in outputs if output.output_type == "stream" and output.name == "stdout"]
        return pictures, "".join(output.text for output in streams)

    return execute


def is_png(picture):
    return base64.b64decode(picture).startswith(b"\x89PNG")


def test_the_story_of_a_run_runs_and_shows_pictures(executed):
    pictures, printed = executed("story_of_a_run.ipynb")
    assert len(pictures) == 5
    assert all(map(is_png, pictures))
    accuracy = float(printed.split("accuracy ")[1].split(",")[0])
    assert accuracy > 0.95


@pytest.fixture
def debugged(executed, monkeypatch):
    """The pictures and the text of the steps of the pipeline, whose commands are forks of a warm process."""
    monkeypatch.setenv("PATH", f"{warm.commands()}{os.pathsep}{os.environ['PATH']}")
    return executed("debug_pipeline.ipynb")


def test_the_steps_of_the_pipeline_run_one_by_one_and_each_output_is_looked_at(debugged):
    pictures, printed = debugged
    codes = re.findall(r"^(\w+) (\w*): exit code (\d)$", printed, flags=re.MULTILINE)
    every = ["preprocessing", "feature_engineering", "train", "evaluate", "set_mining"]
    assert [step for step, scope, code in codes if (scope, code) == ("north", "0")] == ["setup", *every]
    assert [code for code in codes if code[2] != "0"] == [("preprocessing", "east", "2"), *[("gather", "", "2")] * 2]
    assert "width: double\nheight: double\nkind: string\n" in printed
    assert {"north ready", "south skipped", "east ready"} <= set(printed.splitlines())
    at_training, again = re.findall(r"^600 (0\.\d+ \[.*\])$", printed, flags=re.MULTILINE)
    assert at_training == again
    # The worn gauge: the widest quarter of the boxes, whose kinds are drawn by a coin.
    first, errors, number = re.search(r"^(.*) \| (\d+) of (\d+) \| support", printed, flags=re.MULTILINE).groups()
    assert 2.45 < float(first.removeprefix("width above ")) < 2.55
    assert 0.35 < int(errors) / int(number) < 0.65
    (sheet,) = pictures
    assert is_png(sheet)
    assert [line.split()[1] for line in re.findall(r"^smoke/\w+ .*", printed, flags=re.MULTILINE)] == [
        *("done", "skipped", "failed"),
    ]
    (row,) = (ast.literal_eval(line) for line in printed.splitlines() if line.startswith("{'kf_run_id'"))
    assert (row["kf_run_id"], row["run_id"], row["pipeline_step"]) == ("debugging", "smoke/east", "preprocessing")
    assert row["error_msg"].startswith("boxes.csv has no column 'height'")
    assert " pipeline_outputs/smoke/individual/debugging/runs/north/model.skops\n" in printed
    assert printed.endswith("\n[]\n"), "the temporary area is gone"


def test_the_stored_story_has_been_run_and_names_no_folder_of_a_machine(repository):
    text = (repository / "notebooks" / "story_of_a_run.ipynb").read_text()
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert "/tmp/" not in text
    assert "/root/" not in text


def test_the_stored_notebook_of_the_pipeline_holds_no_output_since_each_names_a_folder_of_a_machine(repository):
    notebook = nbformat.read(repository / "notebooks" / "debug_pipeline.ipynb", as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) >= 15
    assert [(cell.execution_count, cell.outputs) for cell in code] == [(None, [])] * len(code)
