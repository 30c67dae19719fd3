"""Adaptive mean pooling whose gradient is the same in each run, on a GPU too."""

import torch
from torch import Tensor, nn


class AdaptiveMean(nn.Module):
    """As `nn.AdaptiveAvgPool2d`, as two matrix products: CUDA adds that one's gradient up in no fixed order."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size = (height, width)

    def forward(self, images: Tensor) -> Tensor:
        """The means over a grid of `height` × `width` windows that cover the image."""
        rows, columns = (
            _windows(length, count).to(images) for length, count in zip(images.shape[-2:], self.size, strict=True)
        )
        return rows @ images @ columns.T


def _windows(length: int, count: int) -> Tensor:
    """Each window's share of each pixel: window i runs from floor(i n/k) to ceil((i + 1) n/k)."""
    shares = torch.zeros(count, length)
    for index in range(count):
        start, end = index * length // count, -(-(index + 1) * length // count)
        shares[index, start:end] = 1 / (end - start)
    return shares
