"""The notebook runs from top to bottom, and its pictures are pictures."""

import base64

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.integration


# A kernel leaves its sockets to the garbage collector, and asyncio its loop; neither is ours to close.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_story_of_a_run_runs_and_shows_pictures(repository, tmp_path, monkeypatch, one_cpu):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = nbformat.read(repository / "notebooks" / "story_of_a_run.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    with one_cpu():
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 5
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    printed = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    accuracy = float(printed.split("accuracy ")[1].split(",")[0])
    assert accuracy > 0.95


def test_the_stored_notebook_has_been_run_and_names_no_folder_of_a_machine(repository):
    text = (repository / "notebooks" / "story_of_a_run.ipynb").read_text()
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert "/tmp/" not in text
    assert "/root/" not in text
