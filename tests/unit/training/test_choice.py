"""Which model is chosen where none is given, and the words that say why."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from image_classifier.settings.layers import CODE, DEFAULT, Kind, Layer
from image_classifier.training.choice import default_model

pytestmark = pytest.mark.unit


def chosen(folder=None, **values):
    """The default model for these settings, what kind of reason it has, and its words."""
    model, origin = default_model([Layer(CODE, values)], folder)
    return model, origin.kind, str(origin)


def pets(folder, *sizes):
    for number, (width, height) in enumerate(sizes):
        path = folder / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((height, width, 3), number, np.uint8)).save(path)
    return str(folder)


@pytest.mark.parametrize(
    ("data", "model", "why"),
    [
        ("digits", "cnn", "images of 8 × 8 pixels"),
        ("wine", "dense", "a table"),
        ("nowhere.csv", "dense", "a table"),
        ("nowhere", "sprint", "images of an unknown size"),
    ],
)
def test_the_data_decides_and_is_named(tmp_path, monkeypatch, data, model, why):
    monkeypatch.chdir(tmp_path)
    assert chosen(dataset_folder=data) == (model, Kind.DATA, f"the data: {why}")


@pytest.mark.parametrize(
    ("sizes", "model"),
    [([(16, 16)], "cnn"), ([(17, 17)], "sprint"), ([(16, 17)], "sprint"), ([(8, 8), (16, 16)], "sprint")],
)
def test_images_up_to_16_pixels_are_for_cnn_unless_they_are_of_several_sizes(tmp_path, sizes, model):
    name, kind, words = chosen(dataset_folder=pets(tmp_path / "pets", *(sizes * 2)))
    assert (name, kind) == (model, Kind.DATA)
    assert "images of" in words


@pytest.mark.parametrize(("side", "model"), [("16", "cnn"), (16, "cnn"), ("17", "sprint"), (64, "sprint")])
def test_the_size_that_images_are_prepared_at_counts_and_not_their_own(side, model):
    words = f"the data: images prepared at {side} × {side} pixels"
    assert chosen(dataset_folder="digits", image_size=side) == (model, Kind.DATA, words)
    assert chosen(dataset_folder="wine", image_size=side)[0] == "dense"


def test_a_given_model_wins_over_parent_and_data(tmp_path):
    given = [Layer(CODE, {"model": "net", "pretrained_model": "missing.pth", "dataset_folder": "digits"})]
    assert default_model(given, tmp_path) == (None, DEFAULT)


def test_the_parents_card_wins_over_the_data(tmp_path):
    def saved(content):
        torch.save(content, tmp_path / "model.pth")
        return chosen(tmp_path, pretrained_model="model.pth", dataset_folder="digits")

    state = {"weight": torch.zeros(1)}
    found = saved({"state": state, "card": json.dumps({"settings": {"model": "resnet18"}})})
    assert found == ("resnet18", Kind.PARENT, "the card of model.pth")
    assert saved(state)[:2] == ("cnn", Kind.DATA)
    assert chosen(tmp_path, pretrained_model="torchvision", dataset_folder="digits")[:2] == ("cnn", Kind.DATA)
