"""Optimizers by their names, their state as plain tensors, and the course of the learning rate."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from image_classifier.config import Config
from image_classifier.model.building import head
from image_classifier.model.muon import Muon

_BESIDE_MOMENTUM = 0.85
_HEAD_RATE, _REST_RATE = 2.8, 0.22  # of Muon's rate, for the layers that SGD trains beside it


def factor(config: Config, progress: float) -> float:
    """What the learning rate is multiplied with at `progress`: 0 at the first step, 1 after the last."""
    warmup = config.warmup or 0.0
    if progress < warmup:
        return progress / warmup
    rest = (progress - warmup) / (1 - warmup)
    return {"constant": 1.0, "linear": 1 - rest, "cosine": (1 + math.cos(math.pi * rest)) / 2}[str(config.schedule)]


def optimizers(config: Config, model: nn.Module) -> list[torch.optim.Optimizer]:
    """The configured optimizers for the parameters that learn; together they hold each once."""
    learning = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    rate, momentum, decay = (
        float(config.learning_rate or 0),
        float(config.momentum or 0),
        float(config.weight_decay or 0),
    )
    values = [value for _, value in learning]
    if config.optimizer == "adamw":
        return [torch.optim.AdamW(values, lr=rate, betas=(momentum, 0.999), weight_decay=decay)]
    if config.optimizer == "sgd":
        return [torch.optim.SGD(values, lr=rate, momentum=momentum, weight_decay=decay)]
    last = f"{head(model)}."
    filters = [value for name, value in learning if value.ndim > 1 and not name.startswith(last)]
    heads = [value for name, value in learning if name.startswith(last)]
    rest = [value for name, value in learning if value.ndim <= 1 and not name.startswith(last)]
    beside = [{"params": heads, "lr": rate * _HEAD_RATE}, {"params": rest, "lr": rate * _REST_RATE}]
    beside = [group for group in beside if group["params"]]
    sgd = torch.optim.SGD(beside, momentum=_BESIDE_MOMENTUM, nesterov=True)
    return [Muon(filters, rate, momentum, decay), sgd] if filters else [sgd]


def set_rates(all_: Sequence[torch.optim.Optimizer], peaks: Sequence[Sequence[float]], scale: float) -> None:
    """Set every group's rate to `scale` times its peak."""
    for optimizer, rates in zip(all_, peaks, strict=True):
        for group, peak in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = scale * peak


def state(all_: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Every optimizer's tensors by `optimizer/parameter/name`."""
    found = {}
    for position, optimizer in enumerate(all_):
        for parameter, values in optimizer.state_dict()["state"].items():
            for name, value in values.items():
                found[f"{position}/{parameter}/{name}"] = torch.as_tensor(value)
    return found


def restore(all_: Sequence[torch.optim.Optimizer], tensors: Mapping[str, Tensor]) -> None:
    """Give every optimizer back the tensors that `state` took, in its parameters' memory layout."""
    for position, optimizer in enumerate(all_):
        parameters = [value for group in optimizer.param_groups for value in group["params"]]
        for path, value in tensors.items():
            owner, index, name = path.split("/")
            if int(owner) == position:
                parameter = parameters[int(index)]
                like = parameter.shape == value.shape
                optimizer.state[parameter][name] = torch.empty_like(parameter).copy_(value) if like else value
