"""The default for images: a small VGG-like network made for accuracy per second of training.

After Jordan's airbench (2024): whitened patches, filters that start as the identity, normalisation without a scale,
and a head whose output is scaled down. docs/decisions/0006-sprint.md has what was tried.
"""

from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

_GROWTH = (1, 4, 4)  # channels of the blocks, times width
_PATCH = 2
_DIRECTIONS = 8  # of 12 that patches in colour have; the other four hold 0.02 % of the variance of CIFAR-10
_WHITENING_FLOOR = 5e-4  # added to the patches' variances, so that flat directions are not blown up
_PIECE_BYTES = 1 << 24  # of patches in double precision, which are in memory at once
_NORM_MOMENTUM = 0.4  # a short training needs statistics of its last steps
_NORM_FLOOR = 1e-3  # added to a channel's variance: of flat images nothing but rounding is left, which 1e-5 blows up


class Sprint(nn.Module):
    """Whitened 2×2 patches, then three blocks of two 3×3 convolutions, and the maximum over the image."""

    # Rates of head and biases per example of a batch, relative to Muon's: they belong to the summed loss.
    beside_muon = (4.2, 0.33)

    def __init__(self, num_classes: int, shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        directions = min(_DIRECTIONS, shape[2] * _PATCH * _PATCH)
        self.stem = nn.Conv2d(shape[2], 2 * directions, _PATCH, bias=False)
        self.stem.weight.requires_grad_(False)
        sizes = [2 * directions, *(width * growth for growth in _GROWTH)]
        self.blocks = nn.Sequential(*(Block(*pair) for pair in pairwise(sizes)))
        self.head = nn.Linear(sizes[-1], num_classes, bias=False)
        with torch.no_grad():
            self.head.weight.div_(self.head.weight.std())

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        features = self.blocks(functional.silu(self.stem(images))).amax((2, 3))
        logits: Tensor = self.head(features) / features.shape[1]
        return logits

    @torch.no_grad()
    def adapt(self, batches: Iterable[Tensor]) -> None:
        """Let the stem see patches of such images without correlation: whitened directions, each with both signs."""
        variances, vectors = torch.linalg.eigh(_second_moments(batches))
        filters = (vectors / (variances.clamp_min(0) + _WHITENING_FLOOR).sqrt()).T.flip(0)[: len(self.stem.weight) // 2]
        self.stem.weight.copy_(torch.cat([filters, -filters]).reshape(self.stem.weight.shape))


def _second_moments(batches: Iterable[Tensor]) -> Tensor:
    """The mean of patch · patchᵀ over all patches, summed in pieces: of large images the patches take gigabytes."""
    total, count = torch.zeros(()), 0
    for images in batches:
        values = images[0].numel() * _PATCH * _PATCH  # a little more than an image's patches hold
        size = max(1, _PIECE_BYTES // (8 * values))
        for start in range(0, len(images), size):
            piece = images[start : start + size].contiguous()
            patches = functional.unfold(piece, _PATCH).transpose(1, 2).flatten(0, 1).double()
            total = patches.T @ patches + total.to(patches)
            count += len(patches)
    return total / count


class Block(nn.Module):
    """Two convolutions; the pooling comes before normalisation and activation, which then touch a quarter."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = _identity(inputs, outputs), _norm(outputs)
        self.conv2, self.norm2 = _identity(outputs, outputs), _norm(outputs)

    def forward(self, images: Tensor) -> Tensor:
        """The features, at half the size where that is at least one pixel."""
        hidden = self.conv1(images)
        if min(hidden.shape[2:]) > 1:
            hidden = functional.max_pool2d(hidden, 2)
        hidden = functional.silu(self.norm1(hidden))
        return functional.silu(self.norm2(self.conv2(hidden)))


def _identity(inputs: int, outputs: int) -> nn.Conv2d:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    with torch.no_grad():
        nn.init.dirac_(convolution.weight[:inputs])
    return convolution


def _norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, eps=_NORM_FLOOR, momentum=_NORM_MOMENTUM)
    norm.weight.requires_grad_(False)
    return norm
