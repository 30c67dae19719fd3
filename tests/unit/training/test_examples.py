"""Which examples a network sees before it learns, and how many at once."""

from pathlib import Path

import numpy as np
import pytest
import torch

from image_classifier.data.store import Split, Store
from image_classifier.model.building import build
from image_classifier.runtime import Runtime
from image_classifier.settings.composition import compose
from image_classifier.settings.layers import flag_layer
from image_classifier.training import examples, train
from image_classifier.training.plan import TrainingPlan

pytestmark = pytest.mark.unit

RUNTIME = Runtime("cpu", "fp32", 1, "any")
SHAPE = (8, 8, 3)


def sorted_store(counts):
    """Images sorted by class, as a folder's are: of each class noise that is twice as strong as that of the last."""
    labels = np.repeat(np.arange(len(counts)), counts)
    noise = np.random.default_rng(0).normal(size=(len(labels), *SHAPE)) * 2.0 ** labels[:, None, None, None]
    split = Split(np.clip(128 + noise, 0, 255).astype(np.uint8), labels, None)
    names = tuple(map(str, range(len(counts))))
    return Store(Path(), names, SHAPE, (0.5,) * 3, (0.01,) * 3, "", {"train": split, "test": split}, 0, None, False)


def composed(seed=0):
    flags = {"model": "sprint", "width": "8", "val_fraction": "0", "seed": str(seed)}
    return compose([flag_layer(flags)], "sprint")


def drawn(store, chosen, seed=0):
    config = composed(seed).config
    batches = examples.adapting(store, chosen, seed, RUNTIME, build(config, len(store.classes), SHAPE))
    images, labels = zip(*batches.epoch(0), strict=True)
    return torch.cat(images), torch.cat(labels)


def test_a_network_sees_every_class_in_its_share_before_it_learns():
    counts = np.array([2500, 1500, 1000])
    _, labels = drawn(sorted_store(counts), np.arange(5000))
    assert len(labels) == 2000
    np.testing.assert_allclose(np.bincount(labels) / 2000, counts / 5000, atol=0.04)  # four standard deviations


def test_which_images_it_sees_is_decided_by_the_seed_among_those_to_learn_from():
    store, learn = sorted_store([2000, 2000]), np.arange(1000, 4000)
    one, again, other = (drawn(store, learn, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    everything, _ = drawn(store, learn[:300])
    expected = (store.splits["train"].inputs[1000:1300] / 255 - 0.5) / 0.01
    np.testing.assert_allclose(everything.permute(0, 2, 3, 1), expected, atol=1e-5)


def test_the_default_networks_stem_is_fitted_to_all_classes_and_not_to_the_first():
    store, settings = sorted_store([2200, 2200, 2200]), composed()
    model = build(settings.config, 3, SHAPE)
    train._adapt(TrainingPlan(settings, store, examples.select(store, settings.config), RUNTIME, model, {}))
    pixels = torch.from_numpy((store.splits["train"].inputs / 255 - 0.5) / 0.01).float()
    with torch.no_grad():
        seen = model.stem(pixels.permute(0, 3, 1, 2)).square().mean((0, 2, 3))
    np.testing.assert_allclose(seen, 1, atol=0.1)
