"""Whole-batch augmentation: what happens to an example is a function of (seed, epoch, example)."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from image_classifier.data.examples import Labels
from image_classifier.errors import UserError
from image_classifier.randomness import below, bits, key

FLIPS = ("none", "random", "alternating")


@dataclass(frozen=True)
class Augmentation:
    """What may be done to a training image."""

    flip: str = "none"  # alternating: a random side in epoch 0, then the other, and so on
    translate: int = 0  # at most so many pixels up, down, left, right; the border is reflected
    cutout: int = 0  # side of a square that is set to the mean

    def check(self, height: int, width: int) -> None:
        """Raise a `UserError` if images of this size cannot be treated so."""
        if self.flip not in FLIPS:
            raise UserError(f"flip is '{self.flip}'", f"choose one of {', '.join(FLIPS)}")
        for name, value in (("translate", self.translate), ("cutout", self.cutout)):
            if not 0 <= value < min(height, width):
                raise UserError(
                    f"{name} is {value} and the images are {height} x {width} pixels",
                    f"choose {name} from 0 to {min(height, width) - 1}",
                )


@dataclass(frozen=True)
class Draws:
    """What was drawn for each of some examples; None where nothing is done."""

    flip: torch.Tensor | None
    down: torch.Tensor | None
    right: torch.Tensor | None
    top: torch.Tensor | None
    left: torch.Tensor | None

    def part(self, start: int, stop: int) -> Self:
        """The draws for a range of the examples."""
        return self._each(lambda value: value[start:stop])

    def to(self, device: torch.device) -> Self:
        """The same draws on a device."""
        return self._each(lambda value: value.to(device))

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Self:
        values = (getattr(self, field.name) for field in fields(self))
        return type(self)(*(None if value is None else change(value) for value in values))


def draw(what: Augmentation, size: tuple[int, int], seed: int, epoch: int, examples: Labels) -> Draws:
    """The draws for these examples of a split, whatever batch they are in."""

    def uniform(purpose: str, bound: int) -> torch.Tensor:
        return torch.from_numpy(below(bound, bits(key(seed, purpose, epoch), examples)))

    flip = None if what.flip == "none" else torch.from_numpy(_sides(what.flip, seed, epoch, examples))
    shifts = 2 * what.translate + 1
    return Draws(
        flip=flip,
        down=uniform("down", shifts) if what.translate else None,
        right=uniform("right", shifts) if what.translate else None,
        top=uniform("top", size[0] - what.cutout + 1) if what.cutout else None,
        left=uniform("left", size[1] - what.cutout + 1) if what.cutout else None,
    )


def _sides(flip: str, seed: int, epoch: int, examples: Labels) -> npt.NDArray[np.bool_]:
    if flip == "random":
        return below(2, bits(key(seed, "flip", epoch), examples)).astype(bool)
    other_side: npt.NDArray[np.bool_] = (below(2, bits(key(seed, "flip"), examples)) + epoch) % 2 == 1
    return other_side


def moved(pixels: torch.Tensor, draws: Draws, translate: int) -> torch.Tensor:
    """The images (N, H, W, C), mirrored and shifted as drawn; still whole numbers, so equal on every device."""
    if draws.flip is not None:
        pixels = torch.where(draws.flip[:, None, None, None], pixels.flip(2), pixels)
    if draws.down is None or draws.right is None:
        return pixels
    count, height, width, channels = pixels.shape
    # One strided view has a row that starts at each pixel; choosing rows of it shifts all images at once.
    before, after = pixels[:, :, 1 : translate + 1], pixels[:, :, -translate - 1 : -1]
    wide = torch.cat([before.flip(2), pixels, after.flip(2)], dim=2)
    row_length = width + 2 * translate
    starts = count * height * row_length - width + 1
    windows = wide.view(-1).as_strided((starts, width * channels), (channels, 1))
    rows = _reflected(height, translate, pixels.device)[draws.down[:, None] + _range(height, pixels)]
    images = _range(count, pixels)[:, None] * height
    chosen = (images + rows) * row_length + draws.right[:, None]
    return windows.index_select(0, chosen.view(-1)).view(count, height, width, channels)


def _range(count: int, like: torch.Tensor) -> torch.Tensor:
    return torch.arange(count, device=like.device)


def _reflected(size: int, margin: int, device: torch.device) -> torch.Tensor:
    """The row that is seen at -margin, ..., size - 1 + margin when the border is a mirror (not repeated)."""
    row = torch.arange(-margin, size + margin, device=device).abs()
    return torch.where(row < size, row, 2 * (size - 1) - row)


def cut_out(images: torch.Tensor, draws: Draws, side: int) -> None:
    """Set a square of each normalised image (N, H, W, C) to 0, which is the mean."""
    if draws.top is None or draws.left is None:
        return
    _, height, width, _ = images.shape
    below_top = _range(height, images) - draws.top[:, None]
    right_of = _range(width, images) - draws.left[:, None]
    rows = (below_top >= 0) & (below_top < side)
    columns = (right_of >= 0) & (right_of < side)
    images.masked_fill_((rows[:, :, None] & columns[:, None, :])[..., None], 0.0)
