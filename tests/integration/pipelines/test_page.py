"""What docs/kubeflow.md shows: its commands are given, and its picture has every step of the compiled pipeline."""

import importlib.util
import io

import numpy as np
import pytest
import yaml
from PIL import Image

from image_classifier.pipelines import kubeflow
from image_classifier.visualization.plot import png


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
