"""The small networks: the original notebook's, one for 8×8 digits, one for tables."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from image_classifier.errors import UserError

_KERNEL, _POOL = 5, 2


class Net(nn.Module):
    """The original notebook's network: two 5×5 convolutions with pooling, then 120, 84 and the classes."""

    def __init__(self, num_classes: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        height, width, channels = shape
        sides = [((side - _KERNEL + 1) // _POOL - _KERNEL + 1) // _POOL for side in (height, width)]
        if min(sides) < 1:
            raise UserError(
                f"net needs images of at least 16×16 pixels, these have {height}×{width}",
                "choose --model cnn, or a larger --image_size",
            )
        self.conv1 = nn.Conv2d(channels, 6, _KERNEL)
        self.conv2 = nn.Conv2d(6, 16, _KERNEL)
        self.pool = nn.MaxPool2d(_POOL)
        self.fc1 = nn.Linear(16 * sides[0] * sides[1], 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        hidden = self.pool(torch.relu(self.conv1(images)))
        hidden = self.pool(torch.relu(self.conv2(hidden))).flatten(1)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(hidden)))))  # type: ignore[no-any-return]


class Cnn(nn.Module):
    """A small network for small images, such as 8×8 digits: three 3×3 convolutions, one pooling, global maximum."""

    def __init__(self, num_classes: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(shape[2], 32), *_convolution(32, 64), nn.MaxPool2d(_POOL), *_convolution(64, 128)
        )
        self.head = nn.Linear(128, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        return self.head(self.features(images).amax((2, 3)))  # type: ignore[no-any-return]


class Dense(nn.Module):
    """For tables: layers of 200, 100 and 100 with batch normalisation; an image is read as one long row."""

    def __init__(self, num_classes: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        sizes = (math.prod(shape), 200, 100, 100)
        layers = [part for inputs, outputs in pairwise(sizes) for part in _dense(inputs, outputs)]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(sizes[-1], num_classes)

    def forward(self, rows: Tensor) -> Tensor:
        """The logits."""
        return self.head(self.features(rows.flatten(1)))  # type: ignore[no-any-return]


def _dense(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
