"""Prepare: a store is made beside its data and never among it, with the settings that a training would have."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from image_classifier.main import main

pytestmark = pytest.mark.unit


@pytest.fixture
def pets(tmp_path):
    for name in ("cat", "dog"):
        for number in range(10):
            (tmp_path / "pets" / name).mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng([number, len(name), name == "cat"]).integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{number}.png")
    (tmp_path / "link").symlink_to("pets")
    return tmp_path / "pets"


def prepare(folder, *arguments):
    return main(["prepare", "--cache_folder", str(folder / "cache"), *map(str, arguments)])


@pytest.mark.parametrize(
    ("data", "output"),
    [("pets", "pets/store"), ("pets", "pets"), ("pets", "pets/cat/deep/store"), ("pets", "pets/../pets/.store"),
     ("pets", "link/store"), ("link", "pets/store"), ("link/", "link")],
)  # fmt: skip
def test_a_store_inside_the_data_set_is_refused_before_anything_is_written(
    pets, tmp_path, monkeypatch, capsys, data, output
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert prepare(tmp_path, "--dataset_folder", data, "--output", output) == 2
    assert f"error: --output {output} is inside the data set {data}" in capsys.readouterr().err.replace(
        "link/", "link/"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_a_store_beside_the_data_set_is_made_and_may_be_named_again(pets, tmp_path, capsys):
    store = tmp_path / "pets_store"
    assert prepare(tmp_path, "--dataset_folder", pets, "--output", store) == 0
    digest = json.loads((store / "store.json").read_text())["digest"]
    assert capsys.readouterr().out == f"{digest}\n"
    assert prepare(tmp_path, "--dataset_folder", store, "--output", store) == 0
    assert capsys.readouterr().out == f"{digest}\n"


def test_a_built_in_data_set_may_have_a_folder_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert prepare(tmp_path, "--dataset_folder", "digits", "--output", "digits/store") == 0
    assert (tmp_path / "digits" / "store" / "store.json").is_file()


def test_the_parent_is_looked_for_in_the_experiments_folder_that_is_given(pets, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "elsewhere" / "e" / "r" / "model.pth"
    model.parent.mkdir(parents=True)
    torch.save({"state": {"weight": torch.zeros(1)}, "card": json.dumps({"settings": {"model": "cnn"}})}, model)
    asked = ["--dataset_folder", pets, "--pretrained_model", "e/r/model.pth"]
    assert prepare(tmp_path, *asked) == 2
    assert "experiments/e/r/model.pth" in capsys.readouterr().err
    assert prepare(tmp_path, *asked, "--experiments_folder", "elsewhere") == 0
