"""Tests of how each odd image becomes 8-bit RGB; the truth is computed by hand or by Pillow's own arithmetic."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError
from sklearn.datasets import load_sample_image
from torchvision.transforms import functional as transforms

from image_classifier.data.pixels import RefusedError, fitted, header_size, read_rgb
from image_classifier.settings.inputs import Fitting

GRADIENT = np.arange(64, dtype=np.uint8).reshape(8, 8)


def read(path):
    return np.asarray(read_rgb(str(path)))


def saved(image, path, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "gif", "webp", "tif", "ppm"])
def test_every_format_gives_the_pixels_that_pillow_reads(tmp_path, picture, suffix):
    truth = picture(tmp_path / f"x.{suffix}", 9, 13)
    assert np.array_equal(read(tmp_path / f"x.{suffix}"), truth)


def test_content_decides_and_not_the_suffix(tmp_path, picture):
    truth = picture(tmp_path / "x.png")
    (tmp_path / "x.png").rename(tmp_path / "x.jpg")
    assert np.array_equal(read(tmp_path / "x.jpg"), truth)


def test_gray_is_repeated_in_three_channels(tmp_path):
    result = read(saved(Image.fromarray(GRADIENT), tmp_path / "x.png"))
    assert np.array_equal(result, np.repeat(GRADIENT[..., None], 3, axis=2))


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bit_gray_is_scaled_and_not_clipped(tmp_path, suffix):
    values = np.array([[0, 128, 129, 257], [32768, 65000, 65406, 65535]], dtype=np.uint16)
    result = read(saved(Image.fromarray(values), tmp_path / f"x.{suffix}"))
    assert result[..., 0].tolist() == [[0, 0, 1, 1], [128, 253, 254, 255]]


def test_sixteen_bit_big_endian_gray_is_read_in_its_order(tmp_path):
    image = Image.frombytes("I;16B", (2, 1), struct.pack(">2H", 257, 65535))
    assert read(saved(image, tmp_path / "x.tif"))[..., 0].tolist() == [[1, 255]]


def test_a_transparent_value_of_sixteen_bit_gray_becomes_white(tmp_path):
    row = struct.pack(">x3H", 0, 1000, 65535)
    chunks = [(b"IHDR", struct.pack(">2I5B", 3, 1, 16, 0, 0, 0, 0)), (b"tRNS", struct.pack(">H", 1000))]
    chunks += [(b"IDAT", zlib.compress(row)), (b"IEND", b"")]
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(map(png_chunk, chunks)))
    assert read(tmp_path / "x.png")[..., 0].tolist() == [[0, 255, 255]]


def test_thirty_two_bit_integers_beyond_sixteen_bits_are_refused(tmp_path):
    path = saved(Image.fromarray(np.array([[0, 70000]], dtype=np.int32)), tmp_path / "x.tif")
    with pytest.raises(RefusedError, match=r"outside 0\.\.65535"):
        read(path)


def test_floating_point_is_refused_with_the_reason(tmp_path):
    path = saved(Image.fromarray(np.zeros((2, 2), dtype=np.float32)), tmp_path / "x.tif")
    with pytest.raises(RefusedError, match="floating-point"):
        read(path)


def test_a_palette_is_looked_up(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert read(saved(image, tmp_path / "x.png")).tolist() == [[[10, 20, 30], [200, 100, 50]]]


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_transparent_palette_entry_becomes_white(tmp_path, suffix):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    path = saved(image, tmp_path / f"x.{suffix}", transparency=1)
    assert read(path).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_a_palette_with_an_opacity_per_entry_is_blended(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 0, 0, 0])
    image.putpixel((1, 0), 1)
    path = saved(image, tmp_path / "x.png", transparency=bytes([255, 51]))
    assert read(path).tolist() == [[[0] * 3, [204] * 3]]


def test_alpha_is_blended_with_white(tmp_path):
    image = Image.fromarray(np.array([[[0, 100, 200, 255], [0, 100, 200, 51], [0, 100, 200, 0]]], dtype=np.uint8))
    # 0.2 of the colour and 0.8 of white.
    assert read(saved(image, tmp_path / "x.png")).tolist() == [[[0, 100, 200], [204, 224, 244], [255, 255, 255]]]


def test_gray_with_alpha_is_blended_with_white(tmp_path):
    image = Image.fromarray(np.array([[[0, 255], [0, 51]]], dtype=np.uint8))
    assert image.mode == "LA"
    assert read(saved(image, tmp_path / "x.png"))[..., 0].tolist() == [[0, 204]]


def test_a_transparent_colour_becomes_white(tmp_path):
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8))
    path = saved(image, tmp_path / "x.png", transparency=(4, 5, 6))
    assert read(path).tolist() == [[[1, 2, 3], [255, 255, 255]]]


def test_one_bit_is_black_and_white(tmp_path):
    image = Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).convert("1")
    assert read(saved(image, tmp_path / "x.png")).tolist() == [[[0] * 3, [255] * 3]]


def test_cmyk_is_converted_to_rgb(tmp_path):
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    result = read(saved(image, tmp_path / "x.tif"))
    assert result[0, 0].tolist() == [0, 255, 255]


def test_a_cmyk_jpeg_is_not_inverted(tmp_path):
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    result = read(saved(image, tmp_path / "x.jpg", quality=100))
    assert np.abs(result[0, 0].astype(int) - [0, 255, 255]).max() <= 3


TURNED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_orientation_is_applied(tmp_path, noise, orientation, suffix):
    upright = saved(Image.fromarray(noise(8, 16)), tmp_path / f"upright.{suffix}")
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = saved(Image.fromarray(read(upright)), tmp_path / f"x.{suffix}", exif=exif)
    plain = saved(Image.fromarray(read(upright)), tmp_path / f"plain.{suffix}")
    assert np.array_equal(read(turned), TURNED[orientation](read(plain)))


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_of_an_animation_the_first_frame_counts(tmp_path, suffix):
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    options = {"lossless": True} if suffix == "webp" else {}
    red.save(tmp_path / f"x.{suffix}", save_all=True, append_images=[blue], **options)
    with Image.open(tmp_path / f"x.{suffix}") as image:
        assert image.n_frames == 2
    assert read(tmp_path / f"x.{suffix}")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "gif", "webp", "tif", "ppm"])
def test_a_file_cut_in_half_is_not_an_image(tmp_path, picture, suffix):
    picture(tmp_path / f"x.{suffix}", 64, 64)
    content = (tmp_path / f"x.{suffix}").read_bytes()
    (tmp_path / f"x.{suffix}").write_bytes(content[: len(content) // 2])
    with pytest.raises((OSError, ValueError, SyntaxError)):
        read(tmp_path / f"x.{suffix}")


def test_postscript_under_the_name_of_a_jpeg_is_refused_before_ghostscript_is_looked_for(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    with pytest.raises(UnidentifiedImageError):
        read(tmp_path / "x.jpg")


def png_chunk(chunk):
    name, data = chunk
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width, height):
    header = png_chunk((b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)))
    return b"\x89PNG\r\n\x1a\n" + header


@pytest.mark.parametrize("side", [9_460, 13_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_refused_by_its_header(tmp_path, side):
    # No pixel follows: a reader that decodes before it looks would complain of a truncated file.
    (tmp_path / "x.png").write_bytes(png_header(side, side) + png_chunk((b"IDAT", b"")))
    with pytest.raises((RefusedError, Image.DecompressionBombError), match="limit"):
        read(tmp_path / "x.png")


def test_a_jpeg_bomb_is_refused_by_its_header(tmp_path, picture):
    picture(tmp_path / "x.jpg", 8, 8)
    content = (tmp_path / "x.jpg").read_bytes()
    frame = content.index(b"\xff\xc0")
    size = struct.pack(">2H", 60_000, 60_000)
    (tmp_path / "x.jpg").write_bytes(content[: frame + 5] + size + content[frame + 9 :])
    with pytest.raises(RefusedError, match="60000 x 60000 pixels are more than the limit"):
        read(tmp_path / "x.jpg")


def test_of_a_camera_file_with_several_pictures_the_first_counts(tmp_path, noise):
    first, second = Image.fromarray(noise()), Image.fromarray(noise())
    first.save(tmp_path / "x.mpo", save_all=True, append_images=[second])
    saved(first, tmp_path / "first.jpg")
    (tmp_path / "x.mpo").rename(tmp_path / "x.jpg")
    assert np.array_equal(read(tmp_path / "x.jpg"), read(tmp_path / "first.jpg"))


def test_a_bomb_in_the_metadata_is_refused(tmp_path):
    text = b"Comment\0\0" + zlib.compress(bytes(80_000_000), 9)
    (tmp_path / "x.png").write_bytes(png_header(8, 8) + png_chunk((b"zTXt", text)) + png_chunk((b"IDAT", b"")))
    with pytest.raises(ValueError, match="too large"):
        read(tmp_path / "x.png")


def squared(image, size):
    return np.asarray(fitted(image, size))


def test_the_central_square_is_what_remains():
    picture = np.zeros((4, 8, 3), dtype=np.uint8)
    picture[:, 2:6] = 255
    assert squared(Image.fromarray(picture), 4).min() == 255


def test_an_image_of_the_right_size_is_left_as_it_is(noise):
    pixels = noise(8, 8)
    assert np.array_equal(squared(Image.fromarray(pixels), 8), pixels)


def test_shrinking_averages_and_does_not_skip_pixels():
    # Every second column is white: a resampling without antialiasing gives black or white.
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(squared(Image.fromarray(stripes), 8)[2:6, 2:6].astype(int) - 127).max() <= 2


@pytest.mark.parametrize("size", [(1, 500), (500, 1), (1, 1), (3, 2)])
def test_extreme_shapes_still_become_squares(size):
    assert squared(Image.new("RGB", size, "red"), 8).tolist() == np.full((8, 8, 3), [255, 0, 0]).tolist()


def test_a_file_larger_than_the_limit_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "x.png").open("wb") as stream:
        stream.write(png_header(8, 8))
        stream.truncate((1 << 30) + 1)
    with pytest.raises(RefusedError, match="larger than the limit"):
        read(tmp_path / "x.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "gif", "webp", "tif", "ppm"])
@pytest.mark.parametrize("orientation", [None, 3, 6])
def test_the_header_tells_the_size_of_the_upright_image(tmp_path, suffix, orientation):
    path = tmp_path / f"x.{suffix}"
    exif = Image.Exif()
    if orientation and suffix in {"jpg", "webp", "tif"}:
        exif[0x0112] = orientation
    Image.new("RGB", (12, 5)).save(path, exif=exif)
    image = read_rgb(str(path))
    assert header_size(str(path)) == (image.height, image.width)


def test_what_has_no_header_of_an_image_has_no_size_and_a_pipe_is_not_waited_for(tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "empty.png").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    for name in ("notes.txt", "empty.png", "pipe", "missing", "."):
        assert header_size(str(tmp_path / name)) is None


@pytest.mark.parametrize("fitting", [Fitting("bilinear", 0.5), Fitting("bicubic", 0.5)])
@pytest.mark.parametrize("size", [(16, 24), (16, 16), (8, 8)])
def test_of_a_share_of_the_shorter_side_the_centre_remains(size, fitting):
    """Also of an image that has the right size already."""
    ramp = np.linspace(0, 255, size[1])[None, :, None].repeat(size[0], 0).repeat(3, 2).astype(np.uint8)
    seen = np.asarray(fitted(Image.fromarray(ramp), 8, fitting))[4, :, 0].astype(int)
    kept = size[0] * 0.5 / size[1] * 255  # of the way from black to white
    assert np.ptp(seen) == pytest.approx(kept, abs=kept / 4)
    assert seen.mean() == pytest.approx(127, abs=3)
    whole = np.asarray(fitted(Image.fromarray(ramp), 8))[4, :, 0].astype(int)
    assert np.ptp(whole) > 1.5 * np.ptp(seen)


@pytest.mark.parametrize(("name", "crop"), [("bilinear", 224 / 256), ("bicubic", 0.95), ("bicubic", 1.0)])
def test_a_photo_is_seen_as_torchvision_and_timm_evaluate_theirs(name, crop):
    """The shorter side scaled to size / crop, then the centre cut out: in two steps that round to whole pixels."""
    photo = Image.fromarray(load_sample_image("china.jpg"))
    small = transforms.resize(photo, round(224 / crop), transforms.InterpolationMode(name))
    theirs = coarse(transforms.center_crop(small, [224, 224]))
    assert np.abs(coarse(fitted(photo, 224, Fitting(name, crop))) - theirs).mean() < 2.5
    assert crop == 1 or np.abs(coarse(fitted(photo, 224)) - theirs).mean() > 7


def coarse(image):
    """The means of squares of 8 pixels, which a shift by less than a pixel changes little."""
    return np.asarray(image, float).reshape(28, 8, 28, 8, 3).mean((1, 3))
