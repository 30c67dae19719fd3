"""How an image becomes a network's input, and what that was where the network's weights come from.

It needs the standard library alone: the processes that decode images import it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INTERPOLATIONS = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Fitting:
    """How an image of any size becomes a square: the share of its shorter side that is kept, and the filter."""

    interpolation: str = "bilinear"
    crop: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no image can be fitted by; it may have been read from a file."""
        if self.interpolation not in INTERPOLATIONS or not 0 < self.crop <= 1:
            raise ValueError(f"no way to fit an image: {self}")

    def described(self) -> dict[str, Any]:
        """The same for a file that tells of it."""
        return {"interpolation": self.interpolation, "crop": self.crop}


PLAIN = Fitting()


def fitting_in(described: Mapping[str, Any]) -> Fitting:
    """The fitting that a file tells of; the plain one where it tells of none."""
    if "crop" not in described:
        return PLAIN
    return Fitting(described["interpolation"], described["crop"])


@dataclass(frozen=True)
class PublishedInput:
    """What weights were trained on: it decides how images are prepared, and wins over the data's own statistics."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fitting: Fitting

    def moments(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation for images of so many channels; gray ones get the mean of the three colours'."""
        return _spread(self.mean, channels), _spread(self.std, channels)


def _spread(values: Sequence[float], channels: int) -> tuple[float, ...]:
    return tuple(values) if len(values) == channels else (sum(values) / len(values),) * channels
