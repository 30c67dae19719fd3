"""Images to be classified: any paths, at the size and with the channels a model was trained on."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from image_classifier import files
from image_classifier.data.decoding import NATIVE
from image_classifier.data.examples import ImageFile, Pixels
from image_classifier.data.inputs import Shape, write_files
from image_classifier.data.store import array_name
from image_classifier.errors import UserError

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow


def image_files(paths: Sequence[Path]) -> list[ImageFile]:
    """The named files, and every file below the named folders in sorted order, hidden ones left out."""
    found = [file for path in paths for file in (_below(path) if path.is_dir() else [path])]
    missing = [str(path) for path in found if not path.is_file()]
    if missing:
        raise UserError(f"no such image: {', '.join(missing[:8])}", "PATH is an image file or a folder of images")
    if not found:
        raise UserError(f"no images in {', '.join(map(str, paths))}", "PATH is an image file or a folder of images")
    return [ImageFile(str(path), path.stat().st_size) for path in found]


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        yield from (Path(where) / name for name in sorted(names) if name[0] != ".")


def read_images(images: Sequence[ImageFile], shape: Shape) -> Pixels:
    """The files' pixels (N, H, W, C); all that cannot be read are named in one error."""
    height, width, channels = shape
    size = height if height == width else NATIVE
    with files.scratch_folder() as folder:
        if not write_files(folder, {"asked": images}, (height, width, 3), size, quiet=True):
            raise UserError(f"the model takes images of {height}×{width} pixels only", "resize them first")
        pixels: Pixels = np.load(folder / array_name("asked", "inputs"))
    if channels == len(_LUMA):
        return pixels
    gray: Pixels = np.rint(pixels @ _LUMA).astype(np.uint8)
    return gray[..., None]
