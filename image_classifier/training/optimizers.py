"""Optimizers by their names, their state as plain tensors, and the course of the learning rate.

The arithmetic is torch's, in its functional form: torch.optim's classes import the compiler, which takes seconds.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from image_classifier.model.building import head
from image_classifier.model.normalised import scale_free
from image_classifier.settings.config import StepSettings

_ADAM_SECOND_BETA, _ADAM_EPSILON = 0.999, 1e-8
_BESIDE_MUON_MOMENTUM = 0.85
_BESIDE_MUON = (2e-4, 1e-3)  # rates of head and rest per example of a batch, relative to Muon's


def factor(settings: StepSettings, progress: float) -> float:
    """What the learning rate is multiplied with at `progress`: 0 at the first step, 1 after the last."""
    if progress < settings.warmup:
        return progress / settings.warmup
    rest = (progress - settings.warmup) / (1 - settings.warmup)
    return {"constant": 1.0, "linear": 1 - rest, "cosine": (1 + math.cos(math.pi * rest)) / 2}[settings.schedule]


class Optimizer(ABC):
    """Parameters that learn by one rule at one peak rate, and the rule's memory: a list of tensors per name."""

    def __init__(self, parameters: Sequence[Tensor], rate: float, momentum: float, weight_decay: float) -> None:
        self.parameters = list(parameters)
        self.rate, self.momentum, self.weight_decay = rate, momentum, weight_decay
        self.memory: dict[str, list[Tensor]] = {}

    def remember(self, name: str) -> None:
        """Keep zeros like each parameter under `name`."""
        self.memory[name] = [torch.zeros_like(value) for value in self.parameters]

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """Update every parameter from its gradient at `scale` times the peak rate, and drop the gradients."""
        gradients = [cast(Tensor, value.grad) for value in self.parameters]
        self.update(gradients, scale * self.rate)
        for value in self.parameters:
            value.grad = None

    @abstractmethod
    def update(self, gradients: list[Tensor], rate: float) -> None:
        """Apply the rule."""


class Sgd(Optimizer):
    """Gradient descent with momentum."""

    def __init__(
        self, parameters: Sequence[Tensor], rate: float, momentum: float, weight_decay: float, *, nesterov: bool = False
    ) -> None:
        super().__init__(parameters, rate, momentum, weight_decay)
        self.nesterov = nesterov and momentum > 0
        self.remember("momentum")

    def update(self, gradients: list[Tensor], rate: float) -> None:
        """One step of torch's SGD."""
        buffers = cast("list[Tensor | None]", self.memory["momentum"])
        sgd(
            self.parameters, gradients, buffers, weight_decay=self.weight_decay, momentum=self.momentum, lr=rate,
            dampening=0, nesterov=self.nesterov, maximize=False, foreach=False,
        )  # fmt: skip


class AdamW(Optimizer):
    """Adam with decoupled weight decay; momentum is its first beta."""

    def __init__(self, parameters: Sequence[Tensor], rate: float, momentum: float, weight_decay: float) -> None:
        super().__init__(parameters, rate, momentum, weight_decay)
        self.remember("mean")
        self.remember("square")
        self.memory["steps"] = [torch.zeros(()) for _ in self.parameters]

    def update(self, gradients: list[Tensor], rate: float) -> None:
        """One step of torch's AdamW."""
        adamw(
            self.parameters, gradients, self.memory["mean"], self.memory["square"], [], self.memory["steps"],
            amsgrad=False, beta1=self.momentum, beta2=_ADAM_SECOND_BETA, lr=rate, weight_decay=self.weight_decay,
            eps=_ADAM_EPSILON, maximize=False, foreach=False,
        )  # fmt: skip


class Muon(Optimizer):
    """Momentum (Nesterov's), made orthogonal for each filter bank (Jordan et al. 2024).

    Of the banks in `rescaled` only the filters' direction may matter; their scale is held.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        rate: float,
        momentum: float,
        weight_decay: float,
        *,
        rescaled: Sequence[Tensor] = (),
    ) -> None:
        super().__init__(parameters, rate, momentum, weight_decay)
        self.rescaled = {id(value) for value in rescaled}
        self.remember("momentum")

    def update(self, gradients: list[Tensor], rate: float) -> None:
        """One step; banks of one shape are made orthogonal together."""
        alike: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
        for value, gradient, average in zip(self.parameters, gradients, self.memory["momentum"], strict=True):
            average.mul_(self.momentum).add_(gradient)
            direction = _as_stored(gradient.add(average, alpha=self.momentum)).flatten(1)
            alike.setdefault(tuple(direction.shape), []).append((value, direction))
        for pairs in alike.values():
            for (value, _), direction in zip(pairs, orthogonal(torch.stack([d for _, d in pairs])), strict=True):
                kept: Tensor | float = 1 - rate * self.weight_decay
                if id(value) in self.rescaled:
                    kept = kept * len(value) ** 0.5 / value.norm().clamp_min(1e-7)
                stored = _as_stored(value)
                stored.mul_(kept).add_(direction.reshape(stored.shape), alpha=-rate)


def _as_stored(values: Tensor) -> Tensor:
    """A view of a filter bank as channels_last lies in memory: flattened without a copy; the order means nothing."""
    return values.permute(0, 2, 3, 1) if values.ndim == 4 else values


# The quintic of Newton and Schulz with Jordan's coefficients: steep at zero, and near one it stays near one.
_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonal(matrices: Tensor, iterations: int = 3) -> Tensor:
    """The matrices (count, rows, columns) with their singular values brought towards one.

    Each iteration multiplies from the left with a polynomial of X Xᵀ. All of these commute, so they are multiplied
    among themselves, small and square, and X is touched twice in all.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    current: Tensor = matrices.mT if tall else matrices
    current = current / (current.norm(dim=(1, 2), keepdim=True) + 1e-7)
    gram = current @ current.mT
    polynomials: list[Tensor] = []
    for iteration in range(iterations):
        if iteration:
            gram = polynomials[-1] @ gram @ polynomials[-1]
        polynomials.append(torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C))
        polynomials[-1].diagonal(dim1=1, dim2=2).add_(_A)
    current = reduce(lambda product, polynomial: polynomial @ product, polynomials) @ current
    return current.mT if tall else current


def optimizers(settings: StepSettings, model: nn.Module, shape: tuple[int, int, int]) -> list[Optimizer]:
    """The configured optimizers for the parameters that learn from images of `shape`; together they hold each once."""
    learning = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    rate, momentum, decay = settings.learning_rate, settings.momentum, settings.weight_decay
    everything = [value for _, value in learning]
    if settings.optimizer == "adamw":
        return [AdamW(everything, rate, momentum, decay)]
    if settings.optimizer == "sgd":
        return [Sgd(everything, rate, momentum, decay)]
    last = f"{head(model)}."
    filters = [value for name, value in learning if value.ndim > 1 and not name.startswith(last)]
    heads = [value for name, value in learning if name.startswith(last)]
    rest = [value for name, value in learning if value.ndim <= 1 and not name.startswith(last)]
    found: list[Optimizer] = [Muon(filters, rate, momentum, decay, rescaled=scale_free(model, shape))]
    shares = getattr(model, "beside_muon", _BESIDE_MUON)
    for values, share in zip((heads, rest), shares, strict=True):
        factor_ = share * settings.batch_size
        found.append(Sgd(values, factor_ * rate, _BESIDE_MUON_MOMENTUM, decay / factor_, nesterov=True))
    return [each for each in found if each.parameters]


def state(all_: Sequence[Optimizer]) -> dict[str, Tensor]:
    """Every optimizer's memory by `optimizer/name/parameter`."""
    return {
        f"{position}/{name}/{index}": value
        for position, optimizer in enumerate(all_)
        for name, values in optimizer.memory.items()
        for index, value in enumerate(values)
    }


def restore(all_: Sequence[Optimizer], tensors: Mapping[str, Tensor]) -> None:
    """Put back what `state` took, in the memory layout that each tensor has here."""
    for name, value in state(all_).items():
        value.copy_(tensors[name])
