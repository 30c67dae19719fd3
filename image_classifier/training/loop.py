"""The training loop: it computes and yields; whoever drives it draws, saves and stops."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from image_classifier import randomness
from image_classifier.errors import UserError
from image_classifier.model import artifact, inference
from image_classifier.model.building import training_mode
from image_classifier.runtime import Runtime
from image_classifier.settings.config import Config
from image_classifier.training import optimizers

_SMALLEST = 16  # pixels; below, shrinking takes what there is to see


State = tuple[dict[str, Tensor], dict[str, Any]]


class BatchSource(Protocol):
    """What the loop needs of data: batches by epoch, from any step on."""

    count: int
    shape: tuple[int, int, int]

    def __len__(self) -> int: ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of one epoch, from the step `start` on."""
        ...


@dataclass(frozen=True)
class EpochReport:
    """One line of the training history; the validation's figures are `None` without a validation set."""

    epoch: int
    loss: float
    acc: float
    val_loss: float | None
    val_acc: float | None
    lr: float
    seconds: float


@dataclass(frozen=True)
class Step:
    """Which epoch (from 0) and step (from 1) was just done, with a report after the last step of an epoch."""

    epoch: int
    step: int
    steps: int
    report: EpochReport | None = None


class Fitting(Protocol):
    """What `train` drives: a loop over epochs and steps, and in the end a model."""

    config: Config
    epoch: int
    step: int
    best_epoch: int

    @property
    def epochs(self) -> int:
        """How many there will be."""
        ...

    @property
    def steps(self) -> int:
        """How many an epoch has."""
        ...

    def fit(self) -> Iterator[Step]:
        """Train from where the state stands to the end."""
        ...

    def content(self, card: Mapping[str, Any]) -> bytes:
        """The model as a file's content."""
        ...

    def state(self) -> State | None:
        """All tensors and all numbers that `restore` needs; `None` where nothing can be kept before the end."""
        ...

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Stand exactly where `state` was taken."""
        ...


class Training:
    """A network in training: all that the next step depends on."""

    def __init__(
        self,
        model: nn.Module,
        config: Config,
        runtime: Runtime,
        *,
        train: BatchSource,
        val: BatchSource | None,
        counts: Tensor,
    ) -> None:
        self.model, self.config, self.runtime, self.train, self.val = model, config, runtime, train, val
        self.settings = config.step_settings()
        self.optimizers = optimizers.optimizers(self.settings, model, train.shape)
        self.weights = _class_weights(counts).to(runtime.torch_device) if config.class_weights == "balanced" else None
        self.epoch = self.step = 0
        self.seconds, self.scale = 0.0, 0.0
        self.sums = torch.zeros(2, dtype=torch.float64, device=runtime.torch_device)
        self.best_epoch = 0
        self.best_standing: list[float] = []  # validation accuracy, then, for a tie, the loss
        self.best: dict[str, Tensor] = {}

    @property
    def epochs(self) -> int:
        """How many there will be."""
        return self.settings.num_epochs

    @property
    def steps(self) -> int:
        """How many an epoch has."""
        return len(self.train)

    def fit(self) -> Iterator[Step]:
        """Train from where the state stands to the last epoch; a `Step` after each step."""
        steps = self.steps
        while self.epoch < self.epochs:
            training_mode(self.model, frozen=self.config.freeze_backbone)
            started = time.perf_counter() - self.seconds
            for images, labels in self.train.epoch(self.epoch, self.step):
                self._learn(images, labels)
                self.step += 1
                self.seconds = time.perf_counter() - started
                if self.step < steps:
                    yield Step(self.epoch, self.step, steps)
            report = self._report()
            self.epoch, self.step, self.seconds = self.epoch + 1, 0, 0.0
            self.sums.zero_()
            yield Step(report.epoch - 1, steps, steps, report)

    def _learn(self, images: Tensor, labels: Tensor) -> None:
        progress = (self.epoch + self.step / len(self.train)) / self.epochs
        self.scale = optimizers.factor(self.settings, progress)
        torch.manual_seed(randomness.key(self.config.seed, "step", self.epoch, self.step))  # dropout, if any
        with self.runtime.autocast():
            logits = self.model(_shrunk(images, size_share(self.config.start_size, self.epoch, self.epochs)))
        logits = logits.float()
        functional.cross_entropy(logits, labels, self.weights, label_smoothing=self.settings.label_smoothing).backward()  # type: ignore[no-untyped-call]
        for optimizer in self.optimizers:
            optimizer.step(self.scale)
        self.sums += inference.sums(logits.detach(), labels)

    def _report(self) -> EpochReport:
        """Close the epoch: its one synchronisation, the validation, the choice of the best."""
        loss, accuracy = (self.sums / self.train.count).tolist()
        _refuse_divergence(loss, self.epoch + 1)
        val_loss = val_accuracy = None
        if self.val is not None:
            val_loss, val_accuracy = inference.score(self.model, self.val.epoch(0), self.runtime)
            _refuse_divergence(val_loss, self.epoch + 1)
        standing = [] if val_accuracy is None or val_loss is None else [val_accuracy, -val_loss]
        if not standing or standing > self.best_standing:
            self.best_epoch, self.best_standing = self.epoch + 1, standing
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        rate = self.scale * self.optimizers[0].rate
        return EpochReport(self.epoch + 1, loss, accuracy, val_loss, val_accuracy, rate, self.seconds)

    def content(self, card: Mapping[str, Any]) -> bytes:
        """The model of the best epoch as a file's content; the network is that model from here on."""
        # A last step can diverge after the loss was read.
        if not all(bool(value.isfinite().all()) for value in self.best.values()):
            _refuse_divergence(math.nan, self.best_epoch)
        self.model.load_state_dict(self.best)
        return artifact.dumps(self.best, card)

    def state(self) -> State:
        """All tensors and all numbers that `restore` needs."""
        tensors = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        tensors |= {f"optimizer/{name}": value for name, value in optimizers.state(self.optimizers).items()}
        tensors["sums"] = self.sums
        numbers = ("epoch", "step", "seconds", "best_epoch", "best_standing")
        return tensors, {name: getattr(self, name) for name in numbers}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Stand exactly where `state` was taken."""
        self.model.load_state_dict(_part(tensors, "model/"))
        device, own = self.runtime.torch_device, self.model.state_dict()
        best = _part(tensors, "best/")
        self.best = {name: torch.empty_like(own[name]).copy_(value) for name, value in best.items()}
        optimizers.restore(self.optimizers, _part(tensors, "optimizer/"))
        self.sums = tensors["sums"].to(device)
        for name, value in numbers.items():
            setattr(self, name, value)


def size_share(start: float, epoch: int, epochs: int) -> float:
    """The side of the training images as a share of the full side: a third of the run small, a third between."""
    if epoch < epochs // 3:
        return start
    return 1.0 if epoch >= epochs - math.ceil(epochs / 3) else (1 + start) / 2


def _shrunk(images: Tensor, share: float) -> Tensor:
    sides = [max(min(side, _SMALLEST), round(side * share)) for side in images.shape[2:]]
    if sides == list(images.shape[2:]):
        return images
    return functional.interpolate(images, size=sides, mode="bilinear", antialias=True)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _class_weights(counts: Tensor) -> Tensor:
    """Inverse frequency, one on average over the examples; an absent class weighs nothing."""
    present = counts > 0
    return torch.where(present, counts.sum() / (present.sum() * counts.clamp(min=1)), 0.0).float()


def _refuse_divergence(loss: float, epoch: int) -> None:
    if not -float("inf") < loss < float("inf"):
        raise UserError(
            f"the loss became {loss} in epoch {epoch}",
            "lower --learning_rate or lengthen --warmup, under another --run_name; the data may be at fault too",
        )
