"""What a network that was trained on ImageNet sees in images: by that, wrong labels of photos stand out."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.nn.functional import interpolate

from image_classifier.data.examples import Pixels
from image_classifier.data.features import Features, standardised
from image_classifier.data.progress import Progress
from image_classifier.errors import UserError
from image_classifier.model import lite

SMALLEST = 32  # pixels; below, digits and the like are judged better without (docs/decisions/0022)
MOST = 10_000  # images; a minute or two
_SIDE = 128  # of what the network is shown: 64-pixel copies of photos hold no more
_AT_ONCE = 32
_logger = logging.getLogger(__name__)


def photo_features(parts: Sequence[Pixels]) -> Features | None:
    """A row of numbers for each image of the parts (N, H, W, C), which have one size; None where they would not help.

    They do not help small images, and would take long for very many; the network's weights may not be installed.
    """
    total = sum(map(len, parts))
    if total > MOST or min(parts[0].shape[1:3]) < SMALLEST:
        return None
    try:
        network = lite.headless()
    except UserError as error:
        _logger.info("labels are judged without a trained network: %s", error.what)
        return None
    known = lite.published_input("")
    mean, std = (torch.tensor(values)[:, None, None] for values in (known.mean, known.std))
    found = []
    with torch.inference_mode(), Progress("judging labels", "images", total) as progress:
        for images in _pieces(parts):
            seen = network((images / 255 - mean) / std)
            found.append(seen.numpy())
            progress.add(len(images))
    return standardised(np.concatenate(found))


def _pieces(parts: Sequence[Pixels]) -> Iterator[torch.Tensor]:
    """The images as the network takes them, but for the scale: (N, 3, side, side)."""
    for part in parts:
        for start in range(0, len(part), _AT_ONCE):
            images = torch.from_numpy(np.array(part[start : start + _AT_ONCE])).permute(0, 3, 1, 2).float()
            square = interpolate(images, size=(_SIDE, _SIDE), mode="bicubic", antialias=True)
            yield square.expand(-1, 3, -1, -1)
