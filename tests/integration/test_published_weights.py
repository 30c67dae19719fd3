"""Published weights from the file to a run: a real file of torchvision's, an input that a run and its child keep."""

import csv
import json

import numpy as np
import pytest
import timm
import torch
import warm
from PIL import Image
from sklearn.datasets import load_sample_image
from torchvision.models import MobileNet_V2_Weights

from image_classifier import compose, files, runs
from image_classifier.model import published
from image_classifier.model.building import build
from image_classifier.model.pretrained import start_from


def test_torchvisions_file_of_2018_is_read_and_two_implementations_agree_on_pictures(mobilenet_file):
    found = published.weights("mobilenet_v2")
    theirs = torch.load(mobilenet_file, weights_only=True)
    assert list(found.tensors) == list(theirs)
    assert all(torch.equal(found.tensors[name], value) for name, value in theirs.items())
    known = published.published_input("mobilenet_v2")
    assert (known.size, known.fitting.crop) == (224, 0.875)
    network = build(compose(model="mobilenet_v2"), 1000, (224, 224, 3))
    names = MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
    start_from(network, found, names, "torchvision")
    second = timm.create_model("mobilenetv2_100", pretrained=False)  # it lists the same layers in the same order
    second.load_state_dict(dict(zip(second.state_dict(), theirs.values(), strict=True)))
    preset = MobileNet_V2_Weights.IMAGENET1K_V1.transforms()
    for picture, some in (("china.jpg", "palace"), ("flower.jpg", "mushroom")):  # the flower's is the network's second
        seen = preset(Image.fromarray(load_sample_image(picture)))[None]
        with torch.inference_mode():
            ours, other = network.eval()(seen), second.eval()(seen)
        torch.testing.assert_close(ours, other, rtol=0, atol=1e-4)
        assert some in [names[number] for number in ours[0].topk(2).indices]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Photos of two kinds and of several sizes: cuts out of a picture of a palace and of one of a flower."""
    folder = tmp_path_factory.mktemp("published") / "photos"
    draw = np.random.default_rng(0)
    for name in ("china", "flower"):
        picture = Image.fromarray(load_sample_image(f"{name}.jpg"))
        for number in range(18):
            width, height = draw.integers(150, 260, 2)
            left, top = draw.integers(0, (picture.width - width, picture.height - height))
            part = "test" if number < 6 else "train"
            (folder / part / name).mkdir(parents=True, exist_ok=True)
            cut = picture.crop((left, top, left + width, top + height))
            cut.save(folder / part / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def run(photos):
    """A run of the frozen network on the photos, of which the tests only read."""
    asked = (
        "--model",
        "efficientnet_lite0",
        "--freeze_backbone",
        "--num_epochs",
        "2",
        "--learning_rate",
        "0.02",
        "--batch_size",
        "4",
    )
    done = trained(photos, "parent", *asked)
    assert "the last layer of imagenet is replaced" in done.stderr
    return runs.read(photos.parent / "e" / "parent")


def command(photos, program, *words):
    done = warm.run(program, *words, "--cache_folder", photos.parent / "cache", folder=photos.parent)
    assert done.returncode == 0, done.stderr
    return done


def trained(photos, name, *words):
    where = ("--experiment_name", "e", "--run_name", name, "--experiments_folder", ".", "--dataset_folder", photos)
    return command(photos, "image_classifier_trainer", *where, "--tracking_uri", "off", "--num_threads", "1", *words)


def test_the_weights_of_the_locked_packages_tell_photos_apart_without_a_network(run):
    assert run.metrics()["accuracy"] >= 11 / 12
    described = run.card["input"]
    assert described["shape"] == [224, 224, 3]
    assert (described["interpolation"], described["crop"]) == ("bicubic", 0.875)
    assert described["mean"] == [127 / 255] * 3
    assert run.card["parent_sha256"].startswith("57934424")
    assert run.card["versions"]["timm"] == timm.__version__
    assert (run.record["config"]["image_size"], str(run.origins["image_size"])) == (224, "the weights")


def test_evaluating_and_predicting_see_what_the_training_saw(run, photos):
    before = {name: files.digest_file(run.path(name)) for name in ("predictions.npz", "metrics.json")}
    command(photos, "image_classifier", "evaluate", run.folder)
    assert {name: files.digest_file(run.path(name)) for name in before} == before
    warm_done = warm.run(
        "image_classifier", "predict", run.folder, photos / "test", "--output", "said.csv", folder=photos.parent
    )
    assert warm_done.returncode == 0, warm_done.stderr
    with (photos.parent / "said.csv").open() as stream:
        said = {row["path"]: float(row["p_china"]) for row in csv.DictReader(stream)}
    shares = run.predictions()["test_probabilities"][:, 0]
    assert sorted(said.values()) == pytest.approx(sorted(shares.tolist()), abs=1e-5)


def test_preparing_makes_the_store_that_the_training_used(run, photos):
    done = command(photos, "image_classifier", "prepare", "--dataset_folder", photos, "--model", "efficientnet_lite0")
    assert done.stdout.strip() == run.card["dataset_digest"]
    plain = command(
        photos, "image_classifier", "prepare", "--dataset_folder", photos, "--model", "efficientnet_lite0",
        "--pretrained_model", "none", "--image_size", "224",
    )  # fmt: skip
    assert plain.stdout.strip() != run.card["dataset_digest"]


def test_a_child_keeps_the_input_of_its_parent(run, photos):
    trained(photos, "child", "--pretrained_model", "e/parent/model.pth", "--num_epochs", "1", "--freeze_backbone")
    child = json.loads((photos.parent / "e" / "child" / "run.json").read_text())
    assert child["card"]["input"] == run.card["input"]
    assert child["card"]["dataset_digest"] == run.card["dataset_digest"]
    assert child["card"]["parent_sha256"] == files.digest_file(run.path("model.pth"))
