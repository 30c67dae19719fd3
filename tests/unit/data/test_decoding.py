"""Files become rows of an array, and what cannot be read is reported by its place."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from image_classifier.data import decoding
from image_classifier.data.examples import ImageFile

pytestmark = pytest.mark.unit


@pytest.fixture
def chunk(tmp_path, picture):
    """Three images of 8×8, and an array of four rows that they are to fill from the second on."""
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    pixels = [picture(path) for path in paths]
    np.full((4, 8, 8, 3), 7, np.uint8).tofile(tmp_path / "array")
    about = {"array": str(tmp_path / "array"), "start": 8 * 8 * 3, "first": 1, "height": 8, "width": 8}
    about |= {"native": True, "interpolation": "bilinear", "crop": 1.0}
    return about | {"images": [ImageFile(str(path), path.stat().st_size) for path in paths]}, pixels


def rows(chunk):
    return np.fromfile(chunk["array"], np.uint8).reshape(4, 8, 8, 3)


@pytest.mark.parametrize("sheet", [8 * 8, 2 * 8 * 8, 1 << 18])
def test_the_rows_are_what_pillow_reads_however_many_are_copied_at_once(chunk, monkeypatch, sheet):
    monkeypatch.setattr(decoding, "_SHEET_PIXELS", sheet)
    asked, pixels = chunk
    reply = decoding.decode(asked)
    assert {name: reply[name] for name in ("count", "failures", "mismatch")} == {
        "count": 3, "failures": [], "mismatch": None,
    }  # fmt: skip
    assert np.array_equal(rows(asked)[1:], pixels)
    assert (rows(asked)[0] == 7).all()


@pytest.mark.parametrize("sheet", [8 * 8, 1 << 18])
def test_the_images_may_be_parts_of_one_file(chunk, tmp_path, monkeypatch, sheet):
    monkeypatch.setattr(decoding, "_SHEET_PIXELS", sheet)
    asked, pixels = chunk
    parts = [(tmp_path / f"{number}.png").read_bytes() for number in range(3)]
    (tmp_path / "all").write_bytes(b"between".join([b"", parts[0], b"no picture", parts[2]]))
    starts = [7, 14 + len(parts[0]), 31 + len(parts[0])]
    lengths = [len(parts[0]), 10, len(parts[2])]
    images = [ImageFile(str(tmp_path / "all"), *about) for about in zip(lengths, "abc", starts, strict=True)]
    reply = decoding.decode(json.loads(json.dumps(asked | {"images": images})))
    assert [place for place, _ in reply["failures"]] == [1]
    assert np.array_equal(rows(asked)[[1, 3]], pixels[::2])


def test_what_cannot_be_read_is_reported_and_the_others_keep_their_rows(chunk, tmp_path):
    asked, pixels = chunk
    (tmp_path / "1.png").write_text("no picture")
    (tmp_path / "2.png").unlink()
    reply = decoding.decode(asked)
    assert [place for place, _ in reply["failures"]] == [1, 2]
    assert "not a readable image" in reply["failures"][0][1]
    assert reply["failures"][1][1] == "No such file or directory"
    assert np.array_equal(rows(asked)[1], pixels[0])


def test_an_image_of_another_size_is_named_or_fitted(chunk, tmp_path):
    asked, _ = chunk
    Image.new("RGB", (16, 32), (1, 2, 3)).save(tmp_path / "1.png")
    assert decoding.decode(asked)["mismatch"] == 1
    fitted = decoding.decode(asked | {"native": False})
    assert fitted["mismatch"] is None
    assert fitted["sizes"] == [(8, 8), (32, 16), (8, 8)]
    assert (rows(asked)[2] == (1, 2, 3)).all()


def test_a_worker_answers_each_line_with_one(chunk, monkeypatch, capsys):
    asked, _ = chunk
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{json.dumps(asked)}\n{json.dumps(asked)}\n"))
    decoding.work()
    assert [json.loads(line)["count"] for line in capsys.readouterr().out.splitlines()] == [3, 3]
