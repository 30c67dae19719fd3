"""A freshly initialised network by its name."""

import copy
import importlib
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from image_classifier import randomness, signals
from image_classifier.errors import UserError
from image_classifier.settings.config import Config
from image_classifier.settings.families import family


class Adaptive(Protocol):
    """A network that looks at some training images before it learns."""

    def adapt(self, batches: Iterable[Tensor]) -> None:
        """Fit what is not learned to images like these, which come in batches."""
        ...


def build(config: Config, num_classes: int, shape: tuple[int, int, int]) -> nn.Module:
    """The configured network for images of `shape` (height, width, channels), initialised by the seed alone."""
    about = family(config.model)
    builder = imported(about.builder)
    options = {name: getattr(config, name) for name in about.arguments}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(randomness.key(config.seed, "initialisation"))
        model: nn.Module = builder(num_classes, shape, **options)
    if not about.stepwise:
        return model
    _try(model.eval(), shape, f"{config.model} cannot take images of {shape[0]}×{shape[1]} pixels", _LARGER)
    if config.batch_size == 1:  # batch normalisation cannot learn from one value per channel
        _try(copy.deepcopy(model).train(), shape, f"{config.model} cannot learn from one image at a time", _TWO)
    laid_out: nn.Module = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return laid_out


def imported(name: str) -> Callable[..., Any]:
    """What a family names as `module:function`."""
    module, function = name.split(":")
    with signals.postponed():
        found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


_LARGER = "choose a larger --image_size, or --model cnn"
_TWO = "choose --batch_size 2 or more"


def _try(model: nn.Module, shape: tuple[int, int, int], refusal: str, hint: str) -> None:
    """What a network cannot compute shows here, and not after the run folder is made."""
    height, width, channels = shape
    try:
        with torch.inference_mode():
            model(torch.zeros(1, channels, height, width))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = next(iter(str(error).splitlines()), "it is built for another size")
        raise UserError(f"{refusal}: {reason}", hint) from error


def head(model: nn.Module) -> str:
    """The name of the layer that gives the classes: the one its package names, else the last with weights."""
    known: str | None = getattr(model, "head_name", None)
    if known:
        return known
    names: list[str] = [name for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return names[-1]


def freeze_backbone(model: nn.Module) -> None:
    """Let only the head learn; the rest also keeps its batch statistics."""
    last = head(model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(f"{last}."))


def training_mode(model: nn.Module, *, frozen: bool) -> None:
    """Set the mode for training; a frozen backbone stays in evaluation mode."""
    model.train(not frozen)
