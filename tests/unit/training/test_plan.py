"""What is settled before a training begins, and what is refused while nothing is written."""

import numpy as np
import pytest
import torch

from image_classifier import files
from image_classifier.errors import UserError
from image_classifier.settings.layers import CODE, Kind, Layer
from image_classifier.training.plan import _refuse_too_few, plan

pytestmark = pytest.mark.unit


@pytest.fixture
def planned(trained, cache, tmp_path):
    """planned(**settings) is the plan of a new run on wine, or on other data; nothing is written for it."""

    def call(**values):
        experiments = trained.folder.parents[1]
        before = sorted(experiments.rglob("*"))
        where = cache if values.get("dataset_folder", "wine") == "wine" else tmp_path
        given = {"dataset_folder": "wine", "model": "dense", "num_threads": "1"} | values
        try:
            return plan([Layer(CODE, given)], experiments, where, None)
        finally:
            assert sorted(experiments.rglob("*")) == before

    return call


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"model": "net"}, "net reads images, and this is a table"),
        ({"pretrained_model": "torchvision"}, "torchvision publishes no weights for dense"),
        ({"pretrained_model": "e/missing.pth"}, r"missing\.pth"),
        ({"model": "knn", "device": "cuda"}, "device cuda means nothing to knn"),
        ({"model": "knn", "precision": "bf16"}, "precision bf16 means nothing to knn"),
        ({"model": "knn", "freeze_backbone": "true"}, "freeze_backbone True means nothing to knn"),
        ({"model": "knn", "pretrained_model": "torchvision"}, "pretrained_model torchvision means nothing to knn"),
        ({"model": "cnn", "dataset_folder": "digits", "translate": 8}, "translate is 8 and the images are 8 x 8"),
        ({"num_threads": "9999"}, "num_threads 9999 is far more"),
        ({"dataset_folder": "breast_cancer", "pretrained_model": "e/r/model.pth"}, "was trained on other columns"),
    ],
)
def test_what_cannot_be_trained_is_refused(planned, values, words):
    with pytest.raises(UserError, match=words) as caught:
        planned(**values)
    assert caught.value.hint


@pytest.mark.parametrize(("train", "test", "words"), [(1, 5, "1 examples to train with"), (5, 0, "0 examples to test")])
def test_too_few_examples_are_refused(train, test, words):
    with pytest.raises(UserError, match=words) as caught:
        _refuse_too_few(train, test)
    assert "lower --val_fraction" in caught.value.hint
    _refuse_too_few(2, 1)


def test_batches_are_halved_until_an_epoch_has_20_steps_but_not_below_16(planned):
    made = planned()
    assert len(made.selection.learn) == 136  # of 151 training rows
    origin = made.composition.origins["batch_size"]
    assert (made.config.batch_size, origin.kind) == (16, Kind.DATA)
    assert str(origin) == "the data (recipe dense.yaml has 32)"
    assert made.card["settings"]["batch_size"] == 16
    asked = planned(batch_size=64)
    assert (asked.config.batch_size, asked.composition.origins["batch_size"].kind) == (64, Kind.CODE)
    enough = planned(dataset_folder="digits", model="cnn")  # 1374 // 64 is 21 steps
    assert (enough.config.batch_size, enough.composition.origins["batch_size"].kind) == (64, Kind.RECIPE)


def test_the_card_says_what_auto_and_paths_stood_for(planned, trained):
    made = planned(pretrained_model="e/r/model.pth", seed=4)
    card = made.card
    assert {"device", "precision", "num_threads", "pretrained_model", "num_workers"}.isdisjoint(card["settings"])
    assert card["runtime"] == made.runtime.as_dict()
    assert (card["settings"]["seed"], card["dataset_digest"]) == (4, trained.card["dataset_digest"])
    assert card["parent_sha256"] == files.digest_file(trained.path("model.pth"))
    assert planned().card["parent_sha256"] is None


def test_a_training_starts_from_its_parents_weights_and_may_freeze_them(planned, trained):
    own = trained.model().state_dict()
    made = planned(pretrained_model="e/r/model.pth", freeze_backbone="true")
    assert all(torch.equal(value, own[name]) for name, value in made.model.state_dict().items())
    learning = [name for name, value in made.model.named_parameters() if value.requires_grad]
    assert learning == ["head.weight", "head.bias"]


def test_no_row_is_learned_from_and_held_out(planned):
    made = planned(val_fraction=0.25)
    learn, held = made.selection.learn, made.selection.held_rows
    assert sorted([*learn, *held]) == list(range(len(made.store.splits["train"].labels)))
    assert np.array_equal(planned(val_fraction=0.25, seed=9).selection.learn, learn)
