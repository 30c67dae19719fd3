"""A parent's weights go in by class name; what does not fit is replaced or refused, and said."""

import logging

import pytest
import torch

from image_classifier import compose
from image_classifier.errors import UserError
from image_classifier.model import artifact
from image_classifier.model.building import build, head
from image_classifier.model.pretrained import start_from

pytestmark = pytest.mark.unit

SHAPE = (8, 8, 1)


def network(classes, seed=0):
    return build(compose(model="cnn", seed=seed), classes, SHAPE)


def parent(model, classes=None, change=lambda tensors: tensors):
    card = None if classes is None else {"classes": list(classes), "settings": {"model": "cnn", "width": None}}
    return artifact.Artifact(change(dict(model.state_dict())), card, "0" * 64)


def outputs(model, images):
    model.eval()
    with torch.no_grad():
        return model(images)


def test_the_same_classes_continue_with_the_same_function():
    old, new = network(3), network(3, seed=1)
    start_from(new, parent(old, "abc"), list("abc"), "x")
    images = torch.randn(5, 1, 8, 8)
    assert torch.equal(outputs(new, images), outputs(old, images))


def test_classes_in_another_order_are_matched_by_name():
    old, new = network(3), network(3, seed=1)
    start_from(new, parent(old, "abc"), list("cab"), "x")
    images = torch.randn(5, 1, 8, 8)
    torch.testing.assert_close(outputs(new, images), outputs(old, images)[:, [2, 0, 1]])


@pytest.mark.parametrize("classes", ["abd", "abcd", "ab"])
def test_other_classes_get_a_fresh_head_and_it_is_said_which(classes, caplog):
    old, new = network(3), network(len(classes), seed=1)
    fresh = {name: value.clone() for name, value in new.state_dict().items() if name.startswith("head.")}
    start_from(new, parent(old, "abc"), list(classes), "runs/x/model.pth")
    for name, value in new.state_dict().items():
        assert torch.equal(value, fresh[name] if name in fresh else old.state_dict()[name])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    for name in set("abc") ^ set(classes):
        assert f" {name}" in record.getMessage()


def test_a_plain_state_dict_is_accepted_with_a_warning_about_the_order(caplog):
    old, new = network(3), network(3, seed=1)
    start_from(new, parent(old), list("abc"), "plain.pth")
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(outputs(new, images), outputs(old, images))
    assert "names no classes" in caplog.text


def test_a_state_dict_of_data_parallel_is_accepted():
    old, new = network(3), network(3, seed=1)
    prefixed = parent(old, "abc", lambda tensors: {f"module.{name}": value for name, value in tensors.items()})
    start_from(new, prefixed, list("abc"), "x")
    assert torch.equal(new.state_dict()["features.0.weight"], old.state_dict()["features.0.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {k: v for k, v in t.items() if k != "features.0.weight"}, r"features\.0\.weight is missing"),
        (lambda t: t | {"extra.weight": torch.ones(1)}, r"extra\.weight is unknown"),
        (lambda t: t | {"features.0.weight": torch.ones(1, 1, 3, 3)}, "shape"),
        (lambda t: t | {"features.0.weight": torch.ones(32, 1, 3, 3, dtype=torch.int64)}, "type"),
    ],
)
def test_another_network_is_refused_by_what_differs(change, message):
    with pytest.raises(UserError, match=message) as caught:
        start_from(network(3), parent(network(3), "abc", change), list("abc"), "x")
    assert "--model cnn" in caught.value.hint


def test_nothing_is_loaded_when_something_does_not_fit():
    new = network(3, seed=1)
    before = {name: value.clone() for name, value in new.state_dict().items()}
    broken = parent(network(3), "abc", lambda t: t | {"features.0.weight": torch.ones(1)})
    with pytest.raises(UserError):
        start_from(new, broken, list("abc"), "x")
    assert all(torch.equal(value, before[name]) for name, value in new.state_dict().items())


@pytest.mark.parametrize(
    ("model", "expected"),
    [("net", "fc3"), ("cnn", "head"), ("resnet18", "body.fc"), ("squeezenet1_1", "body.classifier.1"),
     ("mobilenet_v3_small", "body.classifier.3"), ("swin_t", "body.head"), ("densenet121", "body.classifier")],
)  # fmt: skip
def test_the_head_is_found_in_every_family(model, expected):
    network = build(compose(model=model), 7, (64, 64, 3))
    assert head(network) == expected
    assert network.get_submodule(expected).weight.shape[0] == 7


def test_a_file_from_before_torch_0_4_1_lacks_what_decides_nothing():
    old, new = build(compose(model="resnet18"), 3, (64, 64, 3)), build(compose(model="resnet18"), 3, (64, 64, 3))
    counts = [name for name in old.state_dict() if name.endswith("num_batches_tracked")]
    assert len(counts) == 20
    given = {name: value for name, value in old.body.state_dict().items() if f"body.{name}" not in counts}
    start_from(new, artifact.Artifact(given, None, "0" * 64), list("abc"), "resnet18-5c106cde.pth")
    assert all(torch.equal(value, old.state_dict()[name]) for name, value in new.state_dict().items())
    broken = artifact.Artifact({name: each for name, each in given.items() if "running_var" not in name}, None, "")
    with pytest.raises(UserError, match="running_var is missing"):
        start_from(new, broken, list("abc"), "resnet18-5c106cde.pth")


def test_a_misfit_says_what_images_the_parent_saw():
    card = {"classes": list("abc"), "settings": {"model": "cnn"}, "input": {"shape": [8, 8, 1]}}
    gray = artifact.Artifact(dict(network(3).state_dict()), card, "0" * 64)
    with pytest.raises(UserError) as refused:
        start_from(build(compose(model="cnn"), 3, (8, 8, 3)), gray, list("abc"), "x")
    assert refused.value.hint == "it was trained with --model cnn on images of 8×8 pixels, channels: 1"
