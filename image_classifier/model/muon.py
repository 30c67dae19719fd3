"""Muon (Jordan et al. 2024): momentum whose update for each filter bank is made orthogonal."""

from collections.abc import Iterable

import torch
from torch import Tensor

# The quintic of Newton and Schulz with Jordan's coefficients: fast near zero, and within 0.7 to 1.2 after five steps.
_A, _B, _C = 3.4445, -4.7750, 2.0315


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; for weights that are matrices once all but the first dimension are one."""

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float, weight_decay: float, iterations: int = 3
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "iterations": iterations}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            updates: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update = self._nesterov(parameter, group["momentum"])
                    updates.setdefault(tuple(update.shape), []).append((parameter, update))
            for pairs in updates.values():
                stacked = orthogonal(torch.stack([update for _, update in pairs]), group["iterations"])
                for (parameter, _), update in zip(pairs, stacked, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    scale = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
                    parameter.add_(update.reshape(parameter.shape), alpha=-group["lr"] * scale)

    def _nesterov(self, parameter: Tensor, momentum: float) -> Tensor:
        state = self.state[parameter]
        gradient: Tensor = parameter.grad  # type: ignore[assignment]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        average = state["momentum"].mul_(momentum).add_(gradient)
        return gradient.add(average, alpha=momentum).flatten(1)


def orthogonal(matrices: Tensor, iterations: int) -> Tensor:
    """The matrices (count, rows, columns) with their singular values brought near one."""
    tall = matrices.shape[1] > matrices.shape[2]
    current: Tensor = matrices.mT if tall else matrices
    current = current / (current.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = current @ current.mT
        current = _A * current + (_B * gram + _C * gram @ gram) @ current
    return current.mT if tall else current
