"""Which filters only batch normalisation sees the answers of: they may be rescaled, because it undoes any scale."""

from collections import defaultdict

import torch
from torch import Tensor, nn

# What autograd calls the steps that let a scale through and keep channels apart, as a batch normalisation does.
_PASSING = ("MaxPool2DWithIndicesBackward", "AvgPool2DBackward", "CatBackward")
_CONVOLUTION, _NORMALISATION = "ConvolutionBackward", "BatchNormBackward"

Node = torch.autograd.graph.Node


def scale_free(model: nn.Module, shape: tuple[int, int, int]) -> list[Tensor]:
    """The filters that learn and whose scale changes nothing, found by following one image through the network.

    It leaves the network in evaluation mode.
    """
    height, width, channels = shape
    device = next(model.parameters()).device
    with torch.enable_grad():
        logits = model.eval()(torch.zeros(1, channels, height, width, device=device))
    uses = _uses(logits.grad_fn)
    weights = [node.next_functions[1][0] for node in uses if _CONVOLUTION in node.name() and _normalised(node, uses)]
    return [node.variable for node in weights if node is not None and hasattr(node, "variable")]


def _uses(last: Node | None) -> dict[Node, list[tuple[Node, int]]]:
    """For each step of the computation, which steps take its result, and as which of their inputs."""
    uses: dict[Node, list[tuple[Node, int]]] = defaultdict(list)
    unseen = [last] if last is not None else []
    while unseen:
        user = unseen.pop()
        for position, (node, _) in enumerate(user.next_functions):
            if node is None:  # nothing learns there
                continue
            if node not in uses:
                unseen.append(node)
            uses[node].append((user, position))
    return uses


def _normalised(node: Node, uses: dict[Node, list[tuple[Node, int]]]) -> bool:
    """Whether every way from here leads into a batch normalisation before anything to which scale matters."""
    return all(
        (_NORMALISATION in user.name() and position == 0)
        or (user.name().startswith(_PASSING) and _normalised(user, uses))
        for user, position in uses[node]
    )
