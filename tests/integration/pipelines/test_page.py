"""What docs/kubeflow.md shows: its commands are given, and its picture has every step of the compiled pipeline."""

import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from image_classifier.pipelines import extraction_request, graph, kubeflow, use_case
from image_classifier.visualization.plot import png

pytest.importorskip("kfp", reason="an extra")


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs" / "kubeflow.md").read_text(encoding="utf-8")


def commands(page, module):
    """The words of each command that runs a module of the pipeline's."""
    joined = re.sub(r"\\\n\s+", "", page)
    for line in re.findall(rf"^ *\$ python -m image_classifier\.pipelines\.{module} (.*)$", joined, re.MULTILINE):
        yield shlex.split(line)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The text of pipeline.yaml."""
    folder = tmp_path_factory.mktemp("compiled")
    assert kubeflow.main(["--type", "compile", "--output", str(folder)]) == 0
    return (folder / "pipeline.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def figure(repository, compiled):
    path = repository / "docs" / "pictures" / "make_kubeflow_graph.py"
    spec = importlib.util.spec_from_file_location("make_kubeflow_graph", path)
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    return drawing.graph_figure(drawing.read(compiled))


def test_the_graphs_picture_shows_every_container_and_every_output_of_the_compiled_pipeline(figure, compiled):
    package = next(yaml.safe_load_all(compiled))
    containers = {name.removeprefix("exec-") for name in package["deploymentSpec"]["executors"]}
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert len(containers) == 9
    assert {name: shown.count(name) for name in containers} == dict.fromkeys(containers, 1)
    for component in package["components"].values():
        for name in component.get("outputDefinitions", {}).get("parameters", {}):
            assert any(text.startswith("hands on") and name in text for text in shown), name


def test_the_graphs_picture_says_what_is_left_out_what_is_repeated_and_what_is_always_done(figure):
    shown = {text.get_text() for text in figure.axes[0].texts}
    assert {"only if extract is yes", "only if setup’s Output is ready", "whatever happened"} <= shown
    assert "for each data scope, all at once" in shown


def test_the_picture_in_the_docs_is_the_one_of_todays_graph(repository, figure):
    kept = np.asarray(Image.open(repository / "docs" / "pictures" / "kubeflow-graph.png").convert("L"), dtype=int)
    now = np.asarray(Image.open(io.BytesIO(png(figure))).convert("L"), dtype=int)
    assert kept.shape == now.shape
    assert np.abs(kept - now).max() < 64, "docs/pictures/make_kubeflow_graph.py draws it again"


def test_the_commands_of_the_page_are_ones_that_the_programs_take(page):
    given = [kubeflow._parser().parse_args(words) for words in commands(page, "kubeflow")]
    assert [each.type for each in given] == ["compile", "update", "update", "run"]
    assert [each.cron for each in given if each.type == "update"] == [None, "0 0 6 * * 1"]
    assert len([extraction_request.parsed(words) for words in commands(page, "extraction")]) == 1


def test_the_compiling_command_of_the_page_says_what_the_page_says(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (words,) = (words for words in commands(page, "kubeflow") if "compile" in words)
    assert kubeflow.main(words) == 0
    assert f"\n    {capsys.readouterr().err}" in page
    assert "pipeline-keys" in (tmp_path / "pipeline.yaml").read_text()


def test_the_steps_that_the_page_runs_by_hand_answer_as_it_shows(page, tmp_path):
    (block,) = re.findall(r"^```\n(\$ .*?)^```", page, re.MULTILINE | re.DOTALL)
    asked = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    assert len(asked) >= 9
    script = "".join(f"{command}\nprintf '\\036'\n" for command, _ in asked)
    folder = os.path.dirname(sys.executable)
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "-c", f"exec 2>&1\n{script}"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    *answers, after = done.stdout.split("\036")
    assert (len(answers), after) == (len(asked), "")
    for (command, expected), answer in zip(asked, answers, strict=True):
        assert re.fullmatch(re.escape(expected).replace("…", ".*"), answer), command


def test_the_use_case_of_the_page_is_a_use_case(page):
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    read = use_case.understood("flowers", text)
    assert read.columns == {"length": "number", "petals": "number", "colour": "text", "kind": "class"}
    rest = set(use_case._EXTRACTION) - read.extraction.keys()
    assert all(f"`{key}`" in page or f"`{key}:" in page for key in rest), "the others stand in the text"


def test_the_page_names_every_parameter_of_the_form_and_every_variable_of_the_secret(page, compiled):
    package = next(yaml.safe_load_all(compiled))
    rows = re.findall(r"^\| `(\w+)` \|.*\|.*\|$", page, re.MULTILINE)
    assert set(package["root"]["inputDefinitions"]["parameters"]) <= set(rows)
    named = set(re.findall(r"`([A-Z_]+)`", page))
    assert {*graph.CREDENTIALS, *graph.MAY_BE_GIVEN, *graph.FOR_EXTRACT} <= named
