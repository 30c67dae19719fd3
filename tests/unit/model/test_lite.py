"""EfficientNet-Lite0 with its published weights says of known pictures what a second implementation says of them."""

import sys

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torchvision.models import EfficientNet_B0_Weights
from torchvision.transforms import functional

from image_classifier import compose
from image_classifier.errors import UserError
from image_classifier.model import lite
from image_classifier.model.building import build, head
from image_classifier.model.pretrained import start_from

pytestmark = pytest.mark.unit

IMAGENET = EfficientNet_B0_Weights.DEFAULT.meta["categories"]


@pytest.fixture(scope="module")
def network():
    body = build(compose(model="efficientnet_lite0"), 1000, (224, 224, 3))
    start_from(body, lite.weights("efficientnet_lite0"), IMAGENET, "imagenet")
    return body.eval()


@pytest.fixture(scope="module")
def second():
    """The authors' own implementation, filled by torch from the file as it is."""
    from efficientnet_lite_pytorch import EfficientNet

    body = EfficientNet.from_name("efficientnet-lite0")
    body.load_state_dict(torch.load(lite._file(), weights_only=True))
    return body.eval()


def seen(name):
    """A picture as the weights' authors give it: scaled to 256 pixels, its centre cut out, from -1 to 1."""
    picture = Image.fromarray(load_sample_image(name))
    small = functional.center_crop(functional.resize(picture, 256, functional.InterpolationMode.BICUBIC), 224)
    return (functional.pil_to_tensor(small)[None].float() - 127) / 128


@pytest.mark.parametrize(("name", "best"), [("china.jpg", "palace"), ("flower.jpg", "daisy")])
def test_both_implementations_agree_and_name_what_is_in_the_picture(network, second, name, best):
    with torch.inference_mode():
        ours, theirs = network(seen(name)), second(seen(name))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
    assert theirs.abs().max() > 5
    assert IMAGENET[ours.argmax()] == best


def test_the_package_of_the_weights_is_read_and_never_run():
    lite.weights("efficientnet_lite0")
    assert lite._PACKAGE not in sys.modules


def test_the_head_is_the_classifier_and_the_input_is_the_published_one(network):
    assert head(network) == "body.classifier"
    known = lite.published_input("efficientnet_lite0")
    pixels = torch.arange(256.0)
    ours = (pixels / 255 - known.mean[0]) / known.std[0]
    torch.testing.assert_close(ours, (pixels - 127) / 128)
    assert (known.size, known.fitting.crop) == (224, 224 / 256)


def test_another_file_in_the_package_s_place_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "efficientnet-lite0-57934424.pth"
    torch.save({"w": torch.ones(1)}, other)
    monkeypatch.setattr(lite, "_file", lambda: other)
    with pytest.raises(UserError, match=r"has the sha256 .* and not 579344248a93e230") as caught:
        lite.weights("efficientnet_lite0")
    assert "install" in caught.value.hint


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(lite, "_PACKAGE", "no_such_package")
    with pytest.raises(UserError, match="the package no-such-package is not installed"):
        lite.weights("efficientnet_lite0")
