"""The loop computes what it says: each example once, evaluation apart, the same bits after any stop."""

import functools

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch.nn import functional

from image_classifier import compose, runtime
from image_classifier.data.batches import Augmentation, Batches
from image_classifier.data.store import Split
from image_classifier.errors import UserError
from image_classifier.model import inference
from image_classifier.model.building import build, freeze_backbone
from image_classifier.training.checkpoint import Checkpoints
from image_classifier.training.loop import Training

pytestmark = pytest.mark.unit

CLASSES, SHAPE = 3, (8, 8, 1)


def split(count, seed=0, classes=CLASSES):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, count)
    inputs = generator.integers(0, 80, (count, *SHAPE)) + 60 * labels[:, None, None, None]
    return Split(inputs.astype(np.uint8), labels.astype(np.int64), None)


def training(train=None, val=None, batch_size=8, model="cnn", frozen=False, **settings):
    config = compose(**{"model": model, "num_epochs": 3, "num_threads": 1, **settings})
    place = runtime.of(config)
    torch.set_num_threads(place.num_threads)
    network = build(config, CLASSES, SHAPE)
    if frozen:
        freeze_backbone(network)
    train = split(50) if train is None else train
    common = {"mean": (0.4,), "std": (0.3,), "device": place.torch_device}
    learn = Batches(
        train, np.arange(len(train.labels)), batch_size=batch_size, seed=config.seed, shuffle=True,
        augmentation=Augmentation("random", 1, 0), **common,
    )  # fmt: skip
    held = None if val is None else Batches(val, np.arange(len(val.labels)), batch_size=7, **common)
    counts = torch.from_numpy(np.bincount(train.labels, minlength=CLASSES))
    return Training(network, config, place, train=learn, val=held, counts=counts)


def reports(one):
    return [at.report for at in one.fit() if at.report]


def weights(one):
    return {name: value.clone() for name, value in one.model.state_dict().items()}


def same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


def test_it_learns_what_is_easy():
    last = reports(training(split(200), split(60, 1), num_epochs=6))[-1]
    assert last.val_acc > 0.95
    assert last.val_loss < 0.3


def test_the_reported_validation_equals_scikit_learns_on_all_examples():
    val = split(45, 1)
    one = training(val=val, num_epochs=1)
    (report,) = reports(one)
    labels, shares = inference.probabilities(one.model, one.val.epoch(0), one.runtime, CLASSES)
    assert (labels == val.labels).all()
    assert report.val_acc == pytest.approx(accuracy_score(val.labels, shares.argmax(1)), abs=1e-12)
    assert report.val_loss == pytest.approx(log_loss(val.labels, shares, labels=range(CLASSES)), rel=1e-5)


def test_the_reported_training_figures_count_each_example_once():
    """With a rate of almost nothing the weights stay, so the figures can be computed apart from the loop."""
    one = training(split(50), num_epochs=1, learning_rate=1e-9, optimizer="sgd", batch_size=8)
    (report,) = reports(one)
    total = correct = 0.0
    with torch.no_grad():
        for images, labels in one.train.epoch(0):
            with one.runtime.autocast():
                logits = one.model(images).float()
            total += functional.cross_entropy(logits, labels, reduction="sum").item()
            correct += (logits.argmax(1) == labels).sum().item()
    assert report.loss == pytest.approx(total / 50, rel=1e-4)
    assert report.acc == pytest.approx(correct / 50)


def test_scoring_leaves_batch_statistics_and_modes_as_they_were():
    one = training(val=split(20, 1))
    one.model.train()
    before = weights(one)
    inference.score(one.model, one.val.epoch(0), one.runtime)
    assert same(before, weights(one))
    assert all(module.training for module in one.model.modules())


def test_a_score_does_not_depend_on_the_batches():
    one = training(val=split(45, 1), num_epochs=1)
    reports(one)
    whole = Batches(split(45, 1), np.arange(45), batch_size=45, mean=(0.4,), std=(0.3,), device=torch.device("cpu"))
    small, large = (inference.score(one.model, batches.epoch(0), one.runtime) for batches in (one.val, whole))
    assert small[1] == large[1]
    assert small[0] == pytest.approx(large[0], rel=1e-6)


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    one, two, other = training(), training(), training(seed=1)
    for each in (one, two, other):
        reports(each)
    assert same(weights(one), weights(two))
    assert not same(weights(one), weights(other))


@functools.cache
def uninterrupted(optimizer):
    """A training that nothing stops, to its end, and what it reports; tests only read it."""
    whole = training(val=split(20, 1), optimizer=optimizer, momentum=0.8)
    return whole, [(r.loss, r.acc, r.val_loss, r.val_acc, r.lr) for r in reports(whole)]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
@pytest.mark.parametrize("stop", [1, 7, 8, 20])
def test_a_training_stopped_after_any_step_goes_on_to_the_same_bits(tmp_path, optimizer, stop):
    settings = {"val": split(20, 1), "optimizer": optimizer, "momentum": 0.8}
    whole, expected = uninterrupted(optimizer)
    first, found = training(**settings), []
    for count, at in enumerate(first.fit(), 1):
        found += [at.report] if at.report else []
        if count == stop:
            Checkpoints(tmp_path, "run").write(first, [])
            break
    second = training(**settings)
    Checkpoints(tmp_path, "run").restore(second)
    found += reports(second)
    assert [(r.loss, r.acc, r.val_loss, r.val_acc, r.lr) for r in found] == expected
    assert same(weights(whole), weights(second))
    assert same(whole.best, second.best)
    assert whole.best_epoch == second.best_epoch


def test_the_best_epoch_is_kept_and_not_the_last():
    one = training(val=split(40, 1), num_epochs=8, learning_rate=0.5, optimizer="sgd", momentum=0.9)
    history, states = [], []
    for at in one.fit():
        if at.report:
            history.append(at.report)
            states.append(weights(one))
    best = max(history, key=lambda report: (report.val_acc, -report.val_loss, -report.epoch))
    assert one.best_epoch == best.epoch
    assert same(one.best, states[best.epoch - 1])


def test_without_validation_the_last_epoch_is_kept():
    one = training()
    assert [report.val_acc for report in reports(one)] == [None, None, None]
    assert one.best_epoch == 3
    assert same(one.best, weights(one))


def test_a_diverging_loss_stops_with_a_clear_error():
    with pytest.raises(UserError, match="loss became") as caught:
        reports(training(learning_rate=100, optimizer="sgd", momentum=0.99, num_epochs=50))
    assert "learning_rate" in caught.value.hint


@pytest.mark.parametrize("batch_size", [7, 49, 50, 51, 64, 65_536])
def test_a_last_batch_of_one_and_batches_larger_than_the_data_train(batch_size):
    one = training(batch_size=batch_size, num_epochs=1)
    reports(one)
    assert all(value.isfinite().all() for value in weights(one).values())


def test_a_class_without_examples_weighs_nothing_and_harms_nothing():
    train = split(40, classes=2)
    one = training(train, class_weights="balanced")
    counts = np.bincount(train.labels)
    np.testing.assert_allclose(one.weights.numpy(), [40 / (2 * counts[0]), 40 / (2 * counts[1]), 0], rtol=1e-6)
    assert all(np.isfinite(report.loss) for report in reports(one))


def test_a_frozen_backbone_keeps_every_bit_but_the_heads():
    one = training(frozen=True, freeze_backbone="true")
    before = weights(one)
    reports(one)
    after = weights(one)
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {"head.weight", "head.bias"}


def test_progress_counts_every_step_of_every_epoch():
    seen = [(at.epoch, at.step, at.steps) for at in training(batch_size=20, num_epochs=2).fit()]
    assert seen == [(0, 1, 3), (0, 2, 3), (0, 3, 3), (1, 1, 3), (1, 2, 3), (1, 3, 3)]


def test_bf16_agrees_with_fp32_as_far_as_its_digits_go():
    one, two = training(precision="fp32", num_epochs=1), training(precision="bf16", num_epochs=1)
    images, _ = next(iter(one.train.epoch(0)))
    one.model.eval(), two.model.eval()
    with torch.no_grad(), two.runtime.autocast():
        rough = two.model(images).float()
    with torch.no_grad():
        torch.testing.assert_close(rough, one.model(images), rtol=0.05, atol=0.05)
