"""Batches ready for the network: order and augmentation depend on (seed, epoch, example), on nothing else."""

import contextlib
import itertools
from collections.abc import Iterator

import numpy as np
import torch

from image_classifier.data.augmentation import Augmentation, Draws, cut_out, draw, moved
from image_classifier.data.examples import Labels
from image_classifier.data.mapped import MappedRows, refuse_cut_short
from image_classifier.data.prefetching import prefetched
from image_classifier.data.store import Split
from image_classifier.errors import UserError
from image_classifier.randomness import key, order

__all__ = ["Augmentation", "Batches"]

Batch = tuple[torch.Tensor, torch.Tensor]
# Small batches are assembled many at a time, up to so many bytes of float32, and handed out in slices.
_BLOCK_BYTES = 8_000_000
# A split stays on the GPU if free memory is so many times its size.
_ROOM = 4
_NO_AUGMENTATION = Augmentation()


class Batches:
    """The examples of a split at `indices`, as (x, y) batches on `device`, epoch by epoch."""

    def __init__(
        self,
        split: Split,
        indices: Labels,
        *,
        batch_size: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        device: torch.device,
        seed: int = 0,
        shuffle: bool = False,
        augmentation: Augmentation = _NO_AUGMENTATION,
        num_workers: int = 0,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"batch_size is {batch_size}", "choose 1 or more")
        _, height, width, channels = split.inputs.shape
        augmentation.check(height, width)
        self.count = len(indices)
        self.shape = (height, width, channels)
        self._rows = MappedRows(split.inputs)
        self._pixels = self._rows.array
        self._indices = np.asarray(indices, dtype=np.int64)
        self._labels = torch.from_numpy(split.labels[self._indices])
        self._seed, self._shuffle, self._augmentation = seed, shuffle, augmentation
        self._in_one_go = not shuffle and self.count == len(self._pixels)
        self._device = device
        # On the CPU a thread would take the cores that the training step is using (docs/decisions/0003-data.md).
        self._threads = 0 if device.type == "cpu" else num_workers
        self._ends = _batch_ends(self.count, batch_size, merge_last=shuffle)
        self._group = max(1, _BLOCK_BYTES // (4 * height * width * channels) // batch_size)
        deviation = torch.tensor(std, dtype=torch.float64)
        pixels_a_channel = height * width
        unit = 255 if self._pixels.dtype == np.uint8 else 1  # pixels are measured on the scale 0..1
        # x/unit normalised is x·scale + shift; one value per number of an image, so that the loop over them is one.
        self._scale = (1 / (unit * deviation)).float().repeat(pixels_a_channel).to(device)
        self._shift = (-torch.tensor(mean, dtype=torch.float64) / deviation).float().repeat(pixels_a_channel).to(device)
        self._resident = self._kept_on_device()

    def __len__(self) -> int:
        """Steps an epoch."""
        return len(self._ends)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch from number `start` on: x float32 (N, C, H, W) channels_last, y int64."""
        chosen = order(key(self._seed, "order", epoch), self.count) if self._shuffle else np.arange(self.count)
        rows = self._indices[chosen]
        labels = self._labels[torch.from_numpy(chosen)].to(self._device)
        size = (self._pixels.shape[1], self._pixels.shape[2])
        draws = draw(self._augmentation, size, self._seed, epoch, rows).to(self._device)
        begins = [0, *self._ends[:-1]]
        # Blocks are counted from the epoch's beginning: a resumed epoch sees the same memory layout.
        firsts = range(start - start % self._group, len(self), self._group)
        spans = [(begins[first], self._ends[min(first + self._group, len(self)) - 1]) for first in firsts]
        for first, (begin, end), pixels in zip(firsts, spans, self._gathered(rows, spans), strict=True):
            images = self._finished(pixels, draws.part(begin, end))
            for number in range(max(first, start), min(first + self._group, len(self))):
                batch = slice(begins[number] - begin, self._ends[number] - begin)
                yield images[batch], labels[begins[number] : self._ends[number]]

    def _finished(self, pixels: torch.Tensor, draws: Draws) -> torch.Tensor:
        """Augmented and normalised images, seen as (N, C, H, W)."""
        pixels = moved(pixels, draws, self._augmentation.translate)
        images = pixels.view(len(pixels), -1).to(torch.float32).mul_(self._scale).add_(self._shift).view(pixels.shape)
        cut_out(images, draws, self._augmentation.cutout)
        return images.permute(0, 3, 1, 2)

    def _gathered(self, rows: Labels, spans: list[tuple[int, int]]) -> Iterator[torch.Tensor]:
        """The pixels (N, H, W, C) of each span of rows, on the device."""
        if self._resident is not None:
            on_device = torch.from_numpy(rows).to(self._device)
            for begin, end in spans:
                yield self._resident.index_select(0, on_device[begin:end])
            return
        parts = [rows[begin:end] for begin, end in spans]
        with (
            contextlib.nullcontext() if self._in_one_go else self._rows.scattered(),
            contextlib.closing(prefetched(self._read, parts, self._threads)) as pieces,
        ):
            for pixels, later in itertools.zip_longest(pieces, parts[1 + self._threads :]):
                if later is not None:
                    self._rows.ask(later)
                yield pixels.to(self._device, non_blocking=True)

    def _read(self, rows: Labels) -> torch.Tensor:
        pixels = torch.from_numpy(self._rows.take(rows))
        return pixels.pin_memory() if self._device.type == "cuda" else pixels

    def _kept_on_device(self) -> torch.Tensor | None:
        """The whole split, if the device is a GPU with several times the memory that it takes."""
        if self._device.type != "cuda" or torch.cuda.mem_get_info(self._device)[0] < _ROOM * self._pixels.nbytes:
            return None
        refuse_cut_short(self._pixels)
        return torch.from_numpy(np.array(self._pixels)).to(self._device)


def _batch_ends(count: int, batch_size: int, *, merge_last: bool) -> list[int]:
    """Where each batch ends. Batch norm cannot train on one example, so such a rest joins the batch before it."""
    ends = [*range(batch_size, count, batch_size), count] if count else []
    if merge_last and batch_size > 1 and len(ends) > 1 and ends[-1] - ends[-2] == 1:
        del ends[-2]
    return ends
