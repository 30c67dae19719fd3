"""Labels that can be drawn, and bytes that depend on nothing but the input."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from image_classifier.visualization import plot
from image_classifier.visualization.style import label, style

pytestmark = pytest.mark.unit

CLASSES = ["$x_1$", "猫咪", "ship", "a" * 200]


def report():
    figures = {"n": 50, "accuracy": 0.9, "ci95": [0.79, 0.96], "precision": 0.9, "recall": 0.9, "f1": 0.9}
    return {
        "split": "test", "n": 200, "accuracy": 0.9, "accuracy_ci95": [0.85, 0.93],
        "per_class": dict.fromkeys(CLASSES, figures),
    }  # fmt: skip


def rows():
    keys = ("epoch", "loss", "acc", "val_loss", "val_acc", "lr", "seconds")
    return [dict(zip(keys, (epoch, 2 / epoch, 0.5, 2.1 / epoch, 0.4, 0.1, 3.0), strict=True)) for epoch in (1, 2, 3)]


def counts():
    return np.diag([40, 30, 0, 7]) + 2


def images():
    return [np.arange(192, dtype=np.uint8).reshape(8, 8, 3), np.arange(64, dtype=np.uint8).reshape(8, 8)]


DRAWN = {
    "accuracy": lambda: plot.accuracy_figure(report()),
    "history": lambda: plot.history_figure(rows(), 2),
    "confusion": lambda: plot.confusion_figure(counts(), counts(), CLASSES),
    "gallery": lambda: plot.gallery_figure(images(), ["one\n$two$", "猫"]),
}

HOSTILE = {
    "font.size": 21, "font.family": "serif", "text.parse_math": True, "text.usetex": True, "text.color": "lime",
    "figure.facecolor": "black", "figure.dpi": 31, "figure.autolayout": True, "savefig.dpi": 37,
    "savefig.transparent": True, "savefig.facecolor": "red", "savefig.pad_inches": 1.0, "axes.grid": True,
    "axes.facecolor": "gray", "axes.spines.top": True, "axes.unicode_minus": False, "lines.linewidth": 9,
    "lines.antialiased": False, "path.simplify_threshold": 1.0, "image.interpolation": "bicubic",
    "image.origin": "lower", "legend.frameon": True, "text.hinting": "native", "xtick.direction": "in",
    "figure.constrained_layout.h_pad": 0.5,
}  # fmt: skip


@pytest.fixture(scope="module")
def expected():
    return {name: plot.png(draw()) for name, draw in DRAWN.items()}


@pytest.mark.parametrize("name", DRAWN)
def test_equal_input_gives_equal_bytes_however_often_a_figure_is_saved(expected, name):
    figure = DRAWN[name]()
    assert plot.png(figure) == expected[name]
    assert plot.png(figure) == expected[name]


@pytest.mark.parametrize("name", DRAWN)
def test_settings_in_this_process_do_not_change_the_bytes_and_are_left_alone(expected, name):
    with mpl.rc_context(HOSTILE):
        before = dict(mpl.rcParams)
        assert plot.png(DRAWN[name]()) == expected[name]
        assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", DRAWN)
def test_the_bytes_are_a_png_without_the_software_that_made_it(expected, name):
    with Image.open(io.BytesIO(expected[name])) as image:
        image.load()
        assert image.format == "PNG"
        assert "Software" not in image.info


def test_the_style_ends_with_its_block_even_when_the_block_fails():
    before = dict(mpl.rcParams)
    with pytest.raises(ZeroDivisionError), style():
        1 / mpl.rcParams["text.parse_math"]
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ship", "ship"),
        ("$x_1$", "$x_1$"),
        ("Größe кошка", "Größe кошка"),
        ("two\nlines\tand\x00more", "two lines and more"),
        ("", "#7"),
        (" \n", "#7"),
        ("猫", "#7 □"),
        ("cat 猫", "#7 cat □"),
        ("broken \udc80", "broken"),
    ],
)
def test_a_label_is_one_line_of_letters_the_font_has(name, shown):
    assert label(name, 7) == shown


def test_a_long_label_keeps_its_beginning_and_its_end():
    first, second = label("b" * 199 + "y", 0), label("b" * 199 + "z", 1)
    assert len(first) == len(second) == 28
    assert (first[:3], first[-1], second[-1]) == ("bbb", "y", "z")
    assert "…" in first
    assert label("c" * 28, 0) == "c" * 28
