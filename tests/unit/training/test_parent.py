"""What a training starts from, and how its data is prepared for that."""

import dataclasses
import logging

import huggingface_hub.constants
import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from PIL import Image

from image_classifier import compose, files
from image_classifier.data.preparing import prepare
from image_classifier.errors import UserError
from image_classifier.model import artifact
from image_classifier.model.building import build
from image_classifier.runs import Run
from image_classifier.settings.database import AS_USUAL
from image_classifier.settings.inputs import PLAIN, Fitting, PublishedInput
from image_classifier.settings.layers import CODE, Kind, Layer
from image_classifier.training import parent
from image_classifier.training.plan import plan

pytestmark = pytest.mark.unit

MODEL = "timm/test_efficientnet"
COMMITS = ("a" * 40, "b" * 40)
CARD = {
    "classes": ["cat", "dog"],
    "settings": {"model": "cnn"},
    "input": {"shape": [48, 48, 3], "mean": [0.25] * 3, "std": [0.125] * 3, "interpolation": "bilinear", "crop": 0.5},
}


@pytest.fixture
def pets(tmp_path):
    """A folder of images of several sizes, the largest of 40 pixels."""
    for number in range(40):
        path = tmp_path / "pets" / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((30, 31 + number % 10, 3), number, np.uint8)
        pixels[:5] = 255
        Image.fromarray(pixels).save(path)
    return str(tmp_path / "pets")


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The published file of a small network, where a user may put it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch.manual_seed(0)
    network = timm.create_model("test_efficientnet", pretrained=False)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    file = folder / "timm--test_efficientnet.r160_in1k.safetensors"
    file.write_bytes(safetensors.torch.save(network.state_dict()))
    return file


def planned(tmp_path, data, earlier=None, **values):
    given = {"dataset_folder": data, "num_threads": "1"} | values
    return plan([Layer(CODE, given)], tmp_path, tmp_path / "cache", earlier)


def test_published_weights_decide_size_crop_filter_mean_and_deviation(tmp_path, pets, weights, caplog):
    made = planned(tmp_path, pets, model=MODEL, pretrained_model="imagenet")
    about = timm.get_pretrained_cfg("test_efficientnet")
    described = made.card["input"]
    assert described["shape"] == [160, 160, 3]
    assert (described["interpolation"], described["crop"]) == (about.interpolation, about.crop_pct)
    assert (described["mean"], described["std"]) == (list(about.mean), list(about.std))
    assert (made.store.mean, made.store.std) == (about.mean, about.std)
    assert made.card["parent_sha256"] == files.digest_file(weights)
    assert made.composition.origins["image_size"].kind is Kind.PARENT
    assert made.config.image_size == 160
    assert "the images have at most 40 pixels a side, and the weights were trained at 160" in caplog.text
    assert made.card["dataset_digest"] == made.store.digest == planned(
        tmp_path, pets, model=MODEL, pretrained_model="imagenet"
    ).store.digest  # fmt: skip


def test_a_size_that_is_asked_for_wins_and_the_rest_stays(tmp_path, pets, weights):
    made = planned(tmp_path, pets, model=MODEL, pretrained_model="imagenet", image_size=64)
    assert made.card["input"]["shape"] == [64, 64, 3]
    assert made.card["input"]["crop"] == 0.95
    assert made.composition.origins["image_size"].kind is Kind.CODE


def test_without_weights_nothing_of_a_published_input_is_recorded(tmp_path, pets):
    made = planned(tmp_path, pets, model=MODEL)
    assert made.card["input"].keys() == {"shape", "mean", "std"}
    assert made.card["input"]["shape"] == [64, 64, 3]
    assert made.store.mean != timm.get_pretrained_cfg("test_efficientnet").mean
    assert made.card["versions"]["timm"] == timm.__version__


def test_a_prepared_store_keeps_its_size_and_is_seen_with_the_weights_statistics(tmp_path, pets, weights):
    own = prepare(pets, image_size=32, split_seed=0, cache_folder=tmp_path / "cache", output=tmp_path / "store")
    made = planned(tmp_path, str(tmp_path / "store"), model=MODEL, pretrained_model="imagenet")
    assert made.store.shape == (32, 32, 3)
    assert made.store.digest == own.digest
    assert made.card["input"]["mean"] == list(timm.get_pretrained_cfg("test_efficientnet").mean)
    assert (made.card["input"]["interpolation"], made.card["input"]["crop"]) == ("bilinear", 1.0)


def test_what_a_run_kept_to_its_child_keeps_to(tmp_path, pets):
    state = dict(network().state_dict())
    (tmp_path / "model.pth").write_bytes(artifact.dumps(state, CARD))
    made = planned(tmp_path, pets, model="cnn", pretrained_model="model.pth")
    assert made.card["input"] == CARD["input"]
    plain = planned(tmp_path, pets, model="cnn", image_size=48)
    assert plain.store.digest != made.store.digest


def network():
    return build(compose(model="cnn"), 2, (48, 48, 3))


@pytest.mark.parametrize(
    "change",
    [{"crop": 0}, {"crop": "x"}, {"interpolation": "nearest"}, {"mean": []}, {"std": ["a"]}, {"shape": [48]},
     {"interpolation": None}, {"mean": None}],
)  # fmt: skip
def test_a_card_whose_published_input_cannot_be_is_refused(tmp_path, change):
    card = CARD | {"input": CARD["input"] | change}
    (tmp_path / "model.pth").write_bytes(artifact.dumps({"w": torch.ones(1)}, card))
    with pytest.raises(UserError, match="is not one of a run"):
        artifact.load(tmp_path / "model.pth")


@pytest.mark.parametrize(
    ("model", "asked", "words"),
    [
        ("cnn", "imagenet", "there are no published weights for cnn"),
        ("sprint", "imagenet", "there are no published weights for sprint"),
        ("efficientnet_lite0", "torchvision", "torchvision publishes no weights for efficientnet_lite0"),
        (MODEL, "torchvision", "torchvision publishes no weights for timm/test_efficientnet"),
    ],
)
def test_a_model_without_such_weights_is_refused_and_one_with_them_is_named(tmp_path, model, asked, words):
    with pytest.raises(UserError, match=words) as caught:
        parent.parent_of(compose(model=model, pretrained_model=asked), tmp_path)
    assert "efficientnet_lite0" in caught.value.hint
    assert "--pretrained_model imagenet" in caught.value.hint


@pytest.mark.parametrize("asked", ["imagenet", "torchvision"])
def test_both_words_mean_torchvisions_weights_for_its_models(tmp_path, asked):
    found = parent.input_of(compose(model="resnet18", pretrained_model=asked), tmp_path)
    assert (found.size, found.fitting) == (224, Fitting("bilinear", 0.875))


def test_nothing_is_prepared_otherwise_where_a_training_starts_from_nothing(tmp_path):
    config = compose(model="efficientnet_lite0", pretrained_model="none")
    assert config.pretrained_model is None
    assert parent.parent_of(config, tmp_path) is None
    assert parent.preparation(config, "digits", None) == config.data_settings() | {"fitting": PLAIN}


def test_images_of_the_weights_own_kind_are_no_reason_to_warn(tmp_path, pets, caplog):
    caplog.set_level(logging.WARNING)
    store = prepare(pets, image_size=48, split_seed=0, cache_folder=tmp_path / "cache")
    for size, words in ((48, ""), (96, ""), (97, "--image_size 97"), (121, "at most 40 pixels")):
        caplog.clear()
        parent.warn_of_size(PublishedInput(size, (0.5,), (0.5,), PLAIN), store, pets, AS_USUAL)
        assert words in caplog.text
        assert bool(words) == bool(caplog.text)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub's cache with two commits of a small network, of which the second is the newest."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "hub" / "models--timm--test_efficientnet.r160_in1k"
    for seed, commit in enumerate(COMMITS):
        torch.manual_seed(seed)
        state = timm.create_model("test_efficientnet", pretrained=False).state_dict()
        (folder / "snapshots" / commit).mkdir(parents=True)
        (folder / "snapshots" / commit / "model.safetensors").write_bytes(safetensors.torch.save(state))
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMITS[1])
    return folder / "snapshots"


def test_an_unfinished_run_goes_on_with_the_commit_that_it_began_with(tmp_path, pets, hub):
    settings = {"model": MODEL, "pretrained_model": "imagenet", "image_size": 32}
    begun = planned(tmp_path, pets, **settings)
    assert begun.card["parent_revision"] == COMMITS[1]
    assert begun.card["parent_sha256"] == files.digest_file(hub / COMMITS[1] / "model.safetensors")
    (hub.parent / "refs" / "main").write_text(COMMITS[0])  # the hub has moved on
    record = {"config": dataclasses.asdict(begun.config), "dataset_folder": pets, "card": begun.card}
    again = planned(tmp_path, pets, Run(tmp_path / "e" / "r", record))
    assert again.card == begun.card
    assert planned(tmp_path, pets, **settings).card["parent_revision"] == COMMITS[0]
