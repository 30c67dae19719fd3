"""The picture of the error sets says their words and figures, and stays readable with none and with ten."""

import numpy as np
import pytest
from matplotlib.image import AxesImage
from matplotlib.text import Text

from image_classifier.visualization import plot
from image_classifier.visualization.plot import MOST_SETS_SHOWN, Example

pytestmark = pytest.mark.unit


def set_of(number, **more):
    """An error set whose figures tell its number."""
    rate = 0.4 - number / 100
    usual = {
        "itemsets_desc": f"class {number}, very dark", "n": 1000 + number, "errors": 400 - 10 * number,
        "error_rate": rate, "error_rate_ci95": [rate - 0.05, rate + 0.1], "share_of_errors": 0.2 - number / 100,
        "wrong_class": f"dog {number}", "wrong_class_n": 100 + number, "confirmed": number % 2 == 0,
    }  # fmt: skip
    return usual | more


def report(count, **more):
    sets = [set_of(number, **more) for number in range(count)]
    return {
        "n": 10_000, "errors": 650, "error_rate": 0.065, "error_rate_ci95": [0.06, 0.07], "least_examples": 50,
        "nb_tested": 2500, "nb_freq_sets": count, "false_discovery_rate": 0.05, "sets": sets,
    }  # fmt: skip


def noise(count, shape=(8, 8, 3), answer="dog"):
    random = np.random.default_rng(0)
    return [Example(random.integers(0, 256, shape, dtype=np.uint8), answer) for _ in range(count)]


def written(figure):
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def texts(figure):
    return "\n".join(text.get_text() for text in written(figure))


def pictures(figure):
    """The images, row by row from the left, each with the text that stands over its middle and its upper edge."""
    found, boxes = [], [(text.get_text(), text.get_window_extent()) for text in written(figure)]
    for image in figure.findobj(AxesImage):
        box = image.get_window_extent()
        over = [(abs(middle(each) - middle(box)), text) for text, each in boxes if -3 <= each.y0 - box.y1 < 20]
        found.append((-round(box.y1), round(box.x0), image, min(over)[1]))
    return sorted(found, key=lambda each: each[:2])


def middle(box):
    return (box.x0 + box.x1) / 2


def overlapping(figure):
    """Pairs of texts and images of which one lies over the other."""
    figure.canvas.draw()
    boxes = [(part, part.get_window_extent()) for part in (*written(figure), *figure.findobj(AxesImage))]
    assert len(boxes) > 3
    for number, (one, here) in enumerate(boxes):
        for other, there in boxes[number + 1 :]:
            width = min(here.x1, there.x1) - max(here.x0, there.x0)
            height = min(here.y1, there.y1) - max(here.y0, there.y0)
            if width > 1 and height > 1:  # pixels
                yield str(one), str(other)


@pytest.mark.parametrize(("count", "with_images"), [(1, True), (2, False), (10, True)])
def test_each_set_stands_in_a_row_with_its_words_and_figures(count, with_images):
    found = report(count)
    figure = plot.error_sets_figure(found, [noise(8)] * count if with_images else [], "images")
    said = texts(figure)
    for number in range(count):
        assert f"class {number}, very dark" in said
        assert f"{400 - 10 * number} of {1000 + number:,} wrong, {20 - number} % of all errors" in said
        assert f"most often taken for dog {number} ({100 + number})" in said
        assert f"{40 - number} %" in said
    assert said.count("confirmed on the other half") == -(-count // 2)
    assert said.count("not confirmed on another half") == count // 2
    assert len(pictures(figure)) == (8 * count if with_images else 0)
    assert list(overlapping(figure)) == []


def test_what_is_known_of_all_examples_stands_below():
    said = texts(plot.error_sets_figure(report(2), [], "rows"))
    assert "6.5 % of all 10,000 test rows are wrong" in said
    assert "6.0 % to 7.0 %" in said
    assert "2,500 sets with 50 rows or more were looked at" in said
    assert "Frequent error sets, 2, least likely by chance first" in said


def test_of_more_than_ten_the_first_ten_are_shown_and_the_title_says_so():
    said = texts(plot.error_sets_figure(report(12), [noise(1)] * MOST_SETS_SHOWN, "images"))
    assert "the first 10 of 12" in said
    assert "class 9, very dark" in said
    assert "class 10, very dark" not in said


def test_the_examples_of_a_set_stand_in_its_row_each_under_what_it_was_taken_for():
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1) * np.ones((4, 4, 3), np.uint8)
    rows = [[Example(pixels[row, each], f"{row}/{each}") for each in range(3)] for row in (0, 1)]
    shown = pictures(plot.error_sets_figure(report(2), rows, "images"))
    assert [title for *_, title in shown] == ["0/0", "0/1", "0/2", "1/0", "1/1", "1/2"]
    assert [int(image.get_array().max()) for *_, image, _ in shown] == list(range(6))
    assert len({upper for upper, *_ in shown}) == 2


def test_no_more_than_eight_examples_are_shown():
    assert len(pictures(plot.error_sets_figure(report(1), [noise(20)], "images"))) == 8


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_gray_images_are_gray_and_not_stretched(shape):
    image = np.linspace(100, 120, 35).astype(np.uint8).reshape(shape)
    ((*_, shown, _),) = pictures(plot.error_sets_figure(report(1), [[Example(image, "a")]], "images"))
    np.testing.assert_array_equal(shown.get_array(), image.reshape(5, 7, 1).repeat(3, axis=2))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"errors": 0}, "Every test example is classified right."),
        ({"nb_tested": 0}, "Too few examples: a set needs 50 of them."),
        ({}, "No group of test examples is wrong more often than chance allows."),
    ],
)
def test_without_a_set_the_picture_says_why(change, words):
    figure = plot.error_sets_figure(report(0) | change, [], "images")
    said = texts(figure)
    assert "Frequent error sets: none found" in said
    assert words in said
    assert plot.png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("words", ["猫 " * 60, "w" * 300, "$x_1$ and \\frac{", "a\nb\tc", "", "class " * 40 + "z"])
def test_long_words_and_odd_letters_are_drawn_and_stay_in_their_place(words):
    figure = plot.error_sets_figure(
        report(2, itemsets_desc=words, wrong_class=words), [noise(2, answer=words)] * 2, "images"
    )
    assert plot.png(figure)
    assert list(overlapping(figure)) == []


def test_images_of_any_shape_are_not_stretched():
    ((*_, image, _),) = pictures(plot.error_sets_figure(report(1), [noise(1, (10, 25, 3))], "images"))
    box = image.get_window_extent()
    assert box.width / box.height == pytest.approx(2.5, rel=0.02)


def test_rates_of_nought_and_of_one_are_drawn():
    low = report(1, error_rate=1.0, error_rate_ci95=[0.9, 1.0]) | {"error_rate": 0.0, "error_rate_ci95": [0.0, 0.001]}
    figure = plot.error_sets_figure(low, [noise(8)], "images")
    assert "100 %" in texts(figure)
    assert list(overlapping(figure)) == []


def test_equal_input_gives_equal_bytes():
    one, two = (plot.png(plot.error_sets_figure(report(2), [noise(3)] * 2, "images")) for _ in range(2))
    assert one == two
