"""One image file to upright 8-bit RGB, whatever it was: the table in docs/data.md in code."""

import io
import os
import stat
import warnings
from contextlib import suppress
from typing import IO

from PIL import ExifTags, Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from image_classifier.data import jpeg
from image_classifier.settings.inputs import PLAIN, Fitting

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
# A quarter of a gigabyte as RGB: where Pillow starts to warn of a decompression bomb.
MAX_PIXELS = 89_478_485
MAX_BYTES = 1 << 30
_ORIENTED_BY = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}
_SIXTEEN_BITS = 0xFFFF
_HEADER_BYTES = 1 << 16
_TURNED = {5, 6, 7, 8}  # EXIF's orientations of images that lie on their side


class RefusedError(Exception):
    """A file that is an image, but none that has one clear meaning in 8 bits."""


def read_rgb(path: str, span: tuple[int, int] | None = None) -> Image.Image:
    """The first frame of a file, or of its part `span` (start, length), fully decoded, upright, 8-bit RGB."""
    # Read at once and without a buffer of its own: a seventh of the time of a small file (docs/decisions/0003-data.md).
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 (a Path costs more than the read)
        if (span[1] if span else os.fstat(stream.fileno()).st_size) > MAX_BYTES:
            raise RefusedError(f"the file is larger than the limit of {MAX_BYTES} bytes")
        if span:
            stream.seek(span[0])
        content = stream.read(span[1] if span else -1)
    size = jpeg.plain_size(content)
    if size and size[0] * size[1] <= MAX_PIXELS:
        # What Pillow's file object would come to, in less time. What the decoder refuses, the long way explains.
        with suppress(ValueError):
            return Image.frombytes("RGB", size, content, "jpeg", "RGB", "")
    image = _opened(content)
    if image.width * image.height > MAX_PIXELS:
        raise RefusedError(f"{image.width} x {image.height} pixels are more than the limit of {MAX_PIXELS}")
    image.load()
    if image.mode != "RGB" or image.format != "JPEG" or _ORIENTED_BY & image.info.keys():
        ImageOps.exif_transpose(image, in_place=True)
        image = _eight_bit_rgb(image)
    return image


def header_size(path: str) -> tuple[int, int] | None:
    """Height and width of the upright image, from the file's first bytes; None if they are not those of an image.

    A PNG that is turned by what follows its pixels is measured as it lies: nothing is decoded here.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 (as above); opening a pipe would wait
            return None
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 (as above)
            return _measured(stream)
    except Exception:  # noqa: BLE001 (a decoder fed with arbitrary bytes may raise anything)
        return None


def content_size(content: bytes) -> tuple[int, int] | None:
    """As `header_size`, of a file's content."""
    try:
        return _measured(io.BytesIO(content))
    except Exception:  # noqa: BLE001 (as above)
        return None


def _measured(stream: IO[bytes]) -> tuple[int, int]:
    size = jpeg.plain_size(stream.read(_HEADER_BYTES))
    if size:
        return size[1], size[0]
    stream.seek(0)
    with warnings.catch_warnings(), Image.open(stream, formats=FORMATS) as image:
        warnings.simplefilter("ignore")
        # Pillow itself turns TIFF's.
        turned = image.format not in {"PNG", "TIFF"} and image.getexif().get(ExifTags.Base.Orientation) in _TURNED
        return (image.width, image.height) if turned else (image.height, image.width)


def _opened(content: bytes) -> Image.Image:
    """The image with its header read, its pixels not yet."""
    stream = io.BytesIO(content)
    if content.startswith(jpeg.START):
        # What Image.open would come to, without asking seven plugins: a tenth of the time of a small file.
        return JpegImageFile(stream)
    return Image.open(stream, formats=FORMATS)


def _eight_bit_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise RefusedError("floating-point pixels have no known range")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _scaled(image).convert("RGB")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _scaled(image: Image.Image) -> Image.Image:
    """Gray of 16 bits in 8: 65535 becomes 255 (Pillow's own conversion clips everything above 255 to white)."""
    import numpy as np  # noqa: PLC0415  (0.08 s, as much as all else that a worker process imports)

    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > _SIXTEEN_BITS:
        raise RefusedError("32-bit integers outside 0..65535 have no known range")
    gray = ((values + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray[values == transparent] = 255
    return Image.fromarray(gray)


def fitted(image: Image.Image, size: int, fitting: Fitting = PLAIN) -> Image.Image:
    """The central square, resampled to `size` with antialiasing; bilinear never leaves the range of its input."""
    if image.size != (size, size) or fitting.crop < 1:
        side = min(image.size) * fitting.crop
        left, top = (image.width - side) / 2, (image.height - side) / 2
        box = (left, top, left + side, top + side)
        image = image.resize((size, size), Image.Resampling[fitting.interpolation.upper()], box=box)
    return image
