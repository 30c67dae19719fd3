"""The short way for plain JPEGs comes to what Pillow's own reading comes to, and leaves all others to it."""

import io

import numpy as np
import pytest
from PIL import Image

from image_classifier.data.jpeg import plain_size
from image_classifier.data.pixels import read_rgb


def jpeg(image=None, **options):
    stream = io.BytesIO()
    (image or Image.new("RGB", (7, 5), "teal")).save(stream, "JPEG", **options)
    return stream.getvalue()


def pillows(content):
    """What Pillow makes of a file by itself; None where it refuses."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError):
        return None


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"comment": b"\xff\xda"},
        {"restart_marker_blocks": 1},
        {"quality": 1},
        {"optimize": True},
    ],
)
def test_a_plain_file_shows_its_size(options):
    assert plain_size(jpeg(**options)) == (7, 5)


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    "content",
    [
        jpeg(Image.new("L", (7, 5))),
        jpeg(Image.new("CMYK", (7, 5))),
        jpeg(exif=turned()),
        jpeg(icc_profile=b"a profile"),
        jpeg().replace(b"\x00\x05\x00\x07\x03", b"\x00\x00\x00\x07\x03"),
        jpeg().replace(b"\x08\x00\x05\x00\x07\x03", b"\x0c\x00\x05\x00\x07\x03"),
        jpeg()[:100],
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\x00\x00" * 10,
        b"",
        b"\x89PNG\r\n\x1a\n",
    ],
    ids=["gray", "cmyk", "exif", "profile", "no height", "12 bits", "cut", "start", "no length", "empty", "png"],
)
def test_any_other_file_is_left_to_pillow(content):
    assert plain_size(content) is None


def test_damaged_files_are_read_or_refused_as_by_pillow(tmp_path):
    draw = np.random.default_rng(0)
    outcomes = {"read": 0, "refused": 0}
    for number in range(450):
        image = Image.fromarray(draw.integers(0, 256, (*draw.integers(1, 30, 2), 3), np.uint8))
        options = {"quality": int(draw.integers(5, 100)), "progressive": number % 3 == 0, "subsampling": number % 2 * 2}
        content = bytearray(jpeg(image, **options))
        for place in draw.integers(len(content), size=draw.integers(3)):
            content[place] = draw.integers(256)
        content = bytes(content[: draw.integers(len(content)) if number % 5 == 0 else None])
        size = plain_size(content)
        if size is None or size[0] * size[1] > 1_000_000:
            continue
        truth = pillows(content)
        (tmp_path / "x.jpg").write_bytes(content)
        if truth is None:
            with pytest.raises((OSError, ValueError, SyntaxError)):
                read_rgb(str(tmp_path / "x.jpg"))
        else:
            assert np.array_equal(np.asarray(read_rgb(str(tmp_path / "x.jpg"))), truth)
        outcomes["refused" if truth is None else "read"] += 1
    assert outcomes["read"] > 150
    assert outcomes["refused"] > 30
