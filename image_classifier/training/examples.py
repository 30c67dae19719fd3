"""Which examples a run learns from, chooses by and is tested on, and the batches that they come in."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

from image_classifier import randomness
from image_classifier.data.augmentation import Augmentation
from image_classifier.data.batches import Batches
from image_classifier.data.splits import validation_split
from image_classifier.data.store import Split, Store
from image_classifier.model import inference
from image_classifier.runtime import Runtime
from image_classifier.settings.config import Config

_ADAPTED_TO = 2000  # training images that show a network what its input is like

RowNumbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Selection:
    """The rows of the training split to learn from; the split that holds the validation examples, and their rows."""

    learn: RowNumbers
    held: Split
    held_rows: RowNumbers


def select(store: Store, config: Config) -> Selection:
    """The store's own validation split, else one drawn from the training split."""
    train = store.splits["train"]
    if "val" in store.splits:
        val = store.splits["val"]
        return Selection(np.arange(len(train.labels)), val, np.arange(len(val.labels)))
    learn, held = validation_split(train.labels, config.val_fraction, config.split_seed, train.groups)
    return Selection(learn, train, held)


def learning(store: Store, chosen: RowNumbers, config: Config, runtime: Runtime) -> Batches:
    """Shuffled, augmented batches."""
    return Batches(
        store.splits["train"], chosen, batch_size=config.step_settings().batch_size, mean=store.mean, std=store.std,
        device=runtime.torch_device, seed=config.seed, shuffle=True, augmentation=augmentation(config),
        num_workers=config.num_workers,
    )  # fmt: skip


def augmentation(config: Config) -> Augmentation:
    """What is done to training images."""
    return Augmentation(config.flip, config.translate, config.cutout)


def adapting(store: Store, chosen: RowNumbers, seed: int, runtime: Runtime, model: nn.Module) -> Batches:
    """What a network sees before it learns: some of the images to learn from, drawn by the seed from all classes."""
    drawn = randomness.order(randomness.key(seed, "adapt"), len(chosen))[:_ADAPTED_TO]
    return measuring(store.splits["train"], chosen[np.sort(drawn)], store.mean, store.std, runtime, model=model)


def measuring(
    split: Split,
    chosen: RowNumbers,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    runtime: Runtime,
    *,
    model: nn.Module,
) -> Batches:
    """Batches in order, as they are, of a size that the model takes."""
    _, *shape = split.inputs.shape
    size = inference.batch_size(model, (shape[0], shape[1], shape[2]))
    return Batches(split, chosen, batch_size=size, mean=mean, std=std, device=runtime.torch_device)
