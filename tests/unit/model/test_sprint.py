"""What sprint's first layer sees of an image, and the memory that it takes to find out."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from image_classifier import compose
from image_classifier.model.building import build

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("channels", "directions"), [(3, 8), (1, 4)])
def test_sprint_sees_the_directions_in_which_patches_vary_most_with_variance_one_and_both_signs(channels, directions):
    network = build(compose(model="sprint", width=16), 4, (12, 12, channels))
    generator = torch.Generator().manual_seed(0)
    images = torch.nn.functional.avg_pool2d(torch.randn(400, channels, 16, 16, generator=generator), 5, 1) * 40
    network.adapt(images.split(150))
    with torch.no_grad():
        seen = network.stem(images).permute(1, 0, 2, 3).flatten(1).double().numpy()
    assert len(seen) == 2 * directions
    np.testing.assert_allclose(seen[directions:], -seen[:directions], atol=1e-4)
    np.testing.assert_allclose(seen[:directions] @ seen[:directions].T / seen.shape[1], np.eye(directions), atol=0.01)
    patches = np.lib.stride_tricks.sliding_window_view(images.numpy(), (2, 2), axis=(2, 3))
    rows = patches.transpose(0, 2, 3, 1, 4, 5).reshape(-1, 4 * channels).astype(np.float64)
    largest = np.linalg.svd(rows, full_matrices=False)[2][:directions]
    filters = network.stem.weight[:directions].flatten(1).double().numpy()
    cosines = np.abs((filters / np.linalg.norm(filters, axis=1, keepdims=True) * largest).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-3)


class Largest(TorchDispatchMode):
    """Notes the bytes of the largest tensor that is made."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.bytes = max(self.bytes, made.numel() * made.element_size())
        return made


def test_sprint_looks_at_large_images_in_pieces_of_memory():
    network = build(compose(model="sprint", width=16), 4, (128, 128, 3))
    images = torch.randn(64, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with Largest() as largest:
        network.adapt([images])
    assert largest.bytes < 32 << 20  # all patches in double precision have 99 MB
