"""Images to be classified: any paths, at the size and with the channels a model was trained on."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from image_classifier import files
from image_classifier.data.examples import ImageFile, Pixels, shown
from image_classifier.data.inputs import Shape, write_files
from image_classifier.data.sources.folder import ignored
from image_classifier.data.store import array_name
from image_classifier.errors import UserError
from image_classifier.settings.inputs import PLAIN, Fitting

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow


def image_files(paths: Sequence[Path]) -> list[ImageFile]:
    """The named files, and every file below the named folders in sorted order, hidden ones left out."""
    found = [name for path in paths for name in (_below(path) if path.is_dir() else [str(path)])]
    images, missing = [], []
    for name in found:
        try:
            about = os.stat(name)  # noqa: PTH116 (a Path for each of many files costs more than the call)
        except OSError:
            missing.append(name)
            continue
        if stat.S_ISREG(about.st_mode):
            images.append(ImageFile(name, about.st_size))
        else:
            missing.append(name)
    if missing:
        raise UserError(f"no such image: {', '.join(map(shown, missing[:8]))}", _HINT)
    if not images:
        raise UserError(f"no images in {', '.join(shown(str(path)) for path in paths)}", _HINT)
    return images


_LEAVE_OUT = "leave these files out, or replace them"
_HINT = "PATH is an image file or a folder of images"


def _below(folder: Path) -> Iterator[str]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not ignored(name))
        yield from (f"{where}/{name}" for name in sorted(names) if not ignored(name))


def read_images(images: Sequence[ImageFile], shape: Shape, fitting: Fitting = PLAIN) -> Pixels:
    """The files' pixels (N, H, W, C), fitted as in training; all that cannot be read are named in one error."""
    height, width, channels = shape
    with files.scratch_folder() as folder:
        native = height != width
        if not write_files(
            folder, {"asked": images}, (height, width, 3), native=native, fitting=fitting, quiet=True, hint=_LEAVE_OUT
        ):
            raise UserError(f"the model takes images of {height}×{width} pixels only", "resize them first")
        pixels: Pixels = np.load(folder / array_name("asked", "inputs"))
    if channels == len(_LUMA):
        return pixels
    gray: Pixels = np.rint(pixels @ _LUMA).astype(np.uint8)
    return gray[..., None]
