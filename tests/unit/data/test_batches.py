"""Tests of the batches: order, content, resumption, and independence of everything that must not matter."""

import threading

import numpy as np
import pytest
import torch

from image_classifier.data import batches as room
from image_classifier.data.batches import Augmentation, Batches
from image_classifier.data.store import Split
from image_classifier.errors import UserError

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
COUNT = 103
EVERYTHING = Augmentation("alternating", 2, 3)


@pytest.fixture(scope="module")
def split():
    random = np.random.default_rng(0)
    inputs = random.integers(0, 256, (COUNT, 8, 10, 3), np.uint8)
    # The label of an example is its number: it tells which one came.
    labels = np.arange(COUNT)
    for array in (inputs, labels):
        array.flags.writeable = False
    return Split(inputs, labels, None)


@pytest.fixture
def make(split):
    def batches(indices=None, **more):
        settings = {"batch_size": 7, "mean": MEAN, "std": STD, "device": torch.device("cpu"), "seed": 3} | more
        made = Batches(split, np.arange(COUNT) if indices is None else np.array(indices), **settings)
        # Threads are used where the device is not the CPU; here they are switched on to be tested.
        made._threads = settings.get("num_workers", 0)
        return made

    return batches


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of three batches, so that a small split has many."""
    monkeypatch.setattr(room, "_BLOCK_BYTES", 3 * 7 * 8 * 10 * 3 * 4)


def joined(batches, epoch=0, start=0):
    images, labels = zip(*batches.epoch(epoch, start), strict=True)
    return torch.cat(images), torch.cat(labels)


def test_without_shuffling_examples_come_in_their_order_normalised(make, split):
    images, labels = joined(make())
    expected = (split.inputs / 255 - MEAN) / STD
    assert labels.tolist() == list(range(COUNT))
    assert labels.dtype == torch.int64
    assert images.dtype == torch.float32
    assert np.abs(images.permute(0, 2, 3, 1).numpy() - expected).max() < 1e-6


@pytest.mark.parametrize("batch_size", [1, 4, 7, 1000])
def test_batches_are_channels_last_and_of_the_size_asked_for(make, batch_size):
    batches = make(batch_size=batch_size)
    sizes = []
    for images, labels in batches.epoch(0):
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert images.shape[1:] == (3, 8, 10)
        assert len(images) == len(labels)
        sizes.append(len(labels))
    assert len(sizes) == len(batches)
    assert sizes == [batch_size] * (COUNT // batch_size) + [COUNT % batch_size] * (COUNT % batch_size > 0)


def test_only_the_given_indices_come(make):
    indices = [5, 50, 99, 2]
    assert joined(make(indices))[1].tolist() == indices
    assert sorted(joined(make(indices, shuffle=True))[1].tolist()) == sorted(indices)
    assert make(indices).count == 4


def test_every_epoch_holds_every_example_once_in_another_order(make):
    orders = [joined(make(shuffle=True), epoch)[1].tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(COUNT)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


def test_another_seed_gives_another_order_and_seed_and_epoch_are_not_added(make):
    assert not torch.equal(joined(make(shuffle=True, seed=0), 1)[1], joined(make(shuffle=True, seed=1), 0)[1])


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_workers_change_nothing(make, workers, small_blocks):
    settings = {"shuffle": True, "augmentation": EVERYTHING}
    for alone, helped in zip(make(**settings).epoch(2), make(num_workers=workers, **settings).epoch(2), strict=True):
        assert torch.equal(alone[0], helped[0])
        assert torch.equal(alone[1], helped[1])


def test_an_example_is_augmented_the_same_in_every_batch_size(make, small_blocks):
    results = []
    for batch_size in (1, 7, 50, COUNT):
        images, labels = joined(make(batch_size=batch_size, shuffle=True, augmentation=EVERYTHING), 4)
        results.append(images[labels.argsort()])
    assert all(torch.equal(results[0], result) for result in results[1:])


def test_an_example_is_augmented_the_same_whichever_others_are_trained_on(make):
    images, labels = joined(make(shuffle=True, augmentation=EVERYTHING), 1)
    few, chosen = joined(make([4, 9, 77], shuffle=True, augmentation=EVERYTHING), 1)
    assert torch.equal(few, torch.stack([images[labels == label][0] for label in chosen]))


@pytest.mark.parametrize("start", [0, 1, 2, 3, 8, 14, 15])
def test_an_epoch_resumed_in_the_middle_goes_on_exactly(make, start, small_blocks):
    batches = make(shuffle=True, augmentation=EVERYTHING)
    whole, rest = list(batches.epoch(1)), list(batches.epoch(1, start=start))
    assert len(whole) == 15
    assert len(rest) == 15 - start
    for one, other in zip(whole[start:], rest, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def test_a_resumed_batch_lies_in_memory_as_it_would_have(make, small_blocks):
    def alignments(start):
        return [images.storage_offset() for images, _ in make(shuffle=True).epoch(0, start)]

    assert alignments(4) == alignments(0)[4:]


@pytest.mark.parametrize(
    ("count", "batch_size", "shuffle", "sizes"),
    [
        (22, 7, True, [7, 7, 8]),
        (22, 7, False, [7, 7, 7, 1]),
        (21, 7, True, [7, 7, 7]),
        (3, 1, True, [1, 1, 1]),
        (3, 2, True, [3]),
        (1, 7, True, [1]),
        (5, 7, True, [5]),
        (0, 7, False, []),
    ],
)
def test_a_last_training_batch_of_one_joins_the_one_before(make, count, batch_size, shuffle, sizes):
    batches = make(range(count), batch_size=batch_size, shuffle=shuffle)
    assert [len(labels) for _, labels in batches.epoch(0)] == sizes
    assert len(batches) == len(sizes)


def test_a_cutout_is_filled_with_the_mean(make):
    images, _ = joined(make(augmentation=Augmentation("none", 0, 4)))
    assert ((images == 0).all(dim=1).sum(dim=(1, 2)) >= 16).all()
    assert not torch.signbit(images[images == 0]).any()


def test_a_batch_handed_out_is_not_changed_by_the_next(make):
    batches = make(shuffle=True)
    kept = [(images, images.clone()) for images, _ in batches.epoch(0)]
    assert all(torch.equal(*pair) for pair in kept)


def test_the_source_is_never_written_to(make, split):
    before = split.inputs.copy()
    for images, _ in make(augmentation=EVERYTHING, batch_size=COUNT).epoch(0):
        images.zero_()
    assert np.array_equal(split.inputs, before)


def test_leaving_an_epoch_early_leaves_no_thread(make, small_blocks):
    for _ in make(num_workers=3).epoch(0):
        break
    assert [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")] == []


def test_an_error_in_a_worker_surfaces_in_the_loop(make):
    batches = make([0, 1], batch_size=1, num_workers=2)
    batches._indices[1] = 10_000
    with pytest.raises(IndexError):
        list(batches.epoch(0))


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_size_below_one_is_refused(make, batch_size):
    with pytest.raises(UserError, match=f"batch_size is {batch_size}"):
        make(batch_size=batch_size)


def test_augmentation_that_does_not_fit_is_refused_before_the_first_batch(make):
    with pytest.raises(UserError, match="translate is 8 and the images are 8 x 10"):
        make(augmentation=Augmentation("none", 8, 0))


def test_a_split_kept_on_the_device_gives_the_same_bits(make, split):
    # What a GPU does, on the CPU: the whole split is a tensor and rows are chosen there.
    read, kept = make(shuffle=True, augmentation=EVERYTHING), make(shuffle=True, augmentation=EVERYTHING)
    kept._resident = torch.from_numpy(split.inputs.copy())
    assert torch.equal(joined(read, 1)[0], joined(kept, 1)[0])


def test_on_the_cpu_no_thread_competes_with_the_training(split):
    batches = Batches(
        split, np.arange(COUNT), batch_size=7, mean=MEAN, std=STD, device=torch.device("cpu"), num_workers=3
    )
    unfinished = batches.epoch(0)
    next(unfinished)
    assert [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")] == []
