"""What a network says of images, in evaluation mode and no other."""

import contextlib
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from image_classifier.runtime import Runtime

_MOST_AT_ONCE = 500
_LAYER_BYTES = 1 << 27  # of one layer's output for a whole batch; a few such tensors are in memory at once


def batch_size(model: nn.Module, shape: tuple[int, int, int]) -> int:
    """How many images of `shape` (height, width, channels) the network takes at once, so that they fit into memory.

    It depends on network and shape alone, never on free memory: another batch size can change the last bits.
    """
    height, width, channels = shape
    sizes = [height * width * channels]  # float32 values that stand for one image, in each layer
    parameter = next(model.parameters(), None)
    if parameter is not None:  # scikit-learn's models have none, and may not be fitted yet
        with _evaluating(model), _recording(model, sizes):
            model(torch.zeros(1, channels, height, width, device=parameter.device))
    return max(1, min(_MOST_AT_ONCE, _LAYER_BYTES // (4 * max(sizes))))


@contextlib.contextmanager
def _recording(model: nn.Module, sizes: list[int]) -> Iterator[None]:
    """Append the size of every tensor that a layer returns."""

    def record(_: nn.Module, __: object, output: object) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.numel())

    hooks = [module.register_forward_hook(record) for module in model.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def _logits(model: nn.Module, images: Tensor, runtime: Runtime) -> Tensor:
    with runtime.autocast():
        logits: Tensor = model(images)
    return logits.float()


def probabilities(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], runtime: Runtime, num_classes: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Labels and class probabilities of every example, in the order of the batches."""
    device = runtime.torch_device
    labels = [torch.empty(0, dtype=torch.int64, device=device)]
    rows = [torch.empty(0, num_classes, device=device)]
    with _evaluating(model):
        for images, target in batches:
            rows.append(functional.softmax(_logits(model, images, runtime), dim=1))
            labels.append(target)
    return torch.cat(labels).cpu().numpy(), torch.cat(rows).cpu().numpy()


def score(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], runtime: Runtime) -> tuple[float, float]:
    """Mean loss and accuracy over all examples, each counted once."""
    total = torch.zeros(2, dtype=torch.float64, device=runtime.torch_device)
    count = 0
    with _evaluating(model):
        for images, target in batches:
            logits = _logits(model, images, runtime)
            total += sums(logits, target)
            count += len(target)
    loss, correct = (total / count).tolist()
    return loss, correct


def sums(logits: Tensor, target: Tensor) -> Tensor:
    """Summed negative log likelihood and number of correct answers, left on the device."""
    loss = functional.cross_entropy(logits, target, reduction="sum")
    correct = (logits.argmax(1) == target).sum()
    return torch.stack((loss.double(), correct.double()))
