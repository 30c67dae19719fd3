"""The pooling whose gradient repeats is torch's own in its values and its gradient."""

import pytest
import torch
from torch import nn

from image_classifier.model.pooling import AdaptiveMean

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("size", "grid"), [((7, 7), (7, 7)), ((13, 9), (6, 4)), ((2, 3), (7, 7)), ((8, 8), (1, 1))])
def test_means_and_their_gradients_are_torchs(size, grid):
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = []
    for pool in (AdaptiveMean(*grid), nn.AdaptiveAvgPool2d(grid)):
        seen = images.clone().requires_grad_()
        pooled = pool(seen)
        pooled.square().sum().backward()
        found.append((pooled.detach(), seen.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
