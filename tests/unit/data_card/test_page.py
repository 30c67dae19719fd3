"""The page and its sections: what it says is true, whatever classes are called, and it stays small."""

import re
import unicodedata
from html.parser import HTMLParser

import numpy as np
import pytest

from image_classifier.data.examples import Examples
from image_classifier.data.store import open_store
from image_classifier.data.writing import write_store
from image_classifier.data_card.content import content
from image_classifier.data_card.page import broken_page, page

VOID = {"meta", "img", "br"}
HOSTILE = '<script>alert("x")</script>&amp;'
ARABIC = "قطة"


def store(folder, classes, labels, images, names=None):
    """A store with these images in train and the same number, other ones, in test."""
    folder.mkdir()
    half = len(labels) // 2
    parts = {
        "train": Examples(labels[:half], images[:half], names and names[:half]),
        "test": Examples(labels[half:], images[half:], names and names[half:]),
    }
    settings = {"kind": "made", "image_size": None, "split_seed": None, "where": "here", "columns": None}
    write_store(folder, classes, parts, settings, quiet=True)
    return open_store(folder)


def noise(count, side=16):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


class Reader(HTMLParser):
    """The texts and the tags of a page; what is not closed stays on the stack."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.words, self.tags, self.wrong = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def about(tmp_path_factory):
    images = noise(80)
    images[75] = images[5]
    labels = np.arange(80) % 2
    names = tuple(f"{'train' if n < 40 else 'test'}/{n}\\xe9.png" for n in range(80))
    return content(store(tmp_path_factory.mktemp("page") / "store", (HOSTILE, ARABIC), labels, images, names))


@pytest.fixture(scope="module")
def reader(about):
    return Reader(page(HOSTILE, about))


def test_every_tag_is_closed_in_order(reader):
    assert reader.wrong == []
    assert reader.stack == []


def test_names_of_classes_files_and_data_sets_are_text_and_nothing_else(about, reader):
    assert "script" not in {tag for tag, _ in reader.tags}
    assert not any(name.startswith("on") for _, attributes in reader.tags for name in attributes)
    assert f"Data card: {HOSTILE}" in reader.text
    assert ARABIC in reader.text
    assert r"5\xe9.png" in reader.text
    page(HOSTILE, about).encode()  # no surrogate is left


def test_names_stand_apart_so_that_letters_from_right_to_left_turn_nothing_else(about):
    text = page("x", about)
    found = re.findall(rf"(.{{5}}){ARABIC}", text)
    assert found
    assert {each for each in found if not each.endswith("<bdi>")} == set()


def test_the_page_asks_for_nothing_from_elsewhere(reader):
    addresses = [each.get(name, "") for _, each in reader.tags for name in ("src", "href", "action", "data")]
    assert [each for each in addresses if each and not each.startswith(("#", "data:image/"))] == []
    policy = next(each["content"] for tag, each in reader.tags if tag == "meta" and "http-equiv" in each)
    assert policy.startswith("default-src 'none'")


def test_counts_and_copies_are_those_of_the_data(reader):
    assert "80 images 40 in train 40 in test 2 classes 16 × 16 × 3 stored size" in reader.text
    assert "1 exact copies 0 near-duplicates" in reader.text


def test_equal_images_with_different_labels_are_said_and_shown_first(tmp_path):
    images, labels = noise(40), np.arange(40) % 2
    images[30], images[7] = images[9], images[6]
    reader = Reader(page("x", content(store(tmp_path / "s", ("cat", "dog"), labels, images))))
    assert "Equal images have different labels in 2 groups" in reader.text
    assert "1 test images are also in train" in reader.text
    groups = reader.text.partition("with different labels equal")[2]
    assert groups.index("train 9") < groups.index("train 6")


def test_uneven_and_small_classes_are_said(tmp_path):
    labels = np.array(([0] * 30 + [1] * 6) * 2)
    reader = Reader(page("x", content(store(tmp_path / "s", ("cat", "dog"), labels, noise(72)))))
    assert "uneven in train: cat has 30, dog 6" in reader.text
    assert "Fewer than 20 images in train: dog" in reader.text


def test_the_same_data_give_the_same_page(about):
    assert page("x", about) == page("x", content(about.store))


def test_the_page_stays_below_five_megabytes(tmp_path):
    classes, count = 60, 300
    labels = np.tile(np.arange(count // 2) % classes, 2)
    long = tuple(f"{number} {'ein sehr langer Name ' * 12}" for number in range(classes))
    images = noise(count, 40)
    images[:200] = images[0]
    text = page("x", content(store(tmp_path / "s", long, labels, images)))
    assert len(text.encode()) < 5_000_000
    assert Reader(text).wrong == []


def test_broken_files_are_listed_with_their_reasons():
    failures = [(f"pets/{number}.png", "is <cut> short") for number in range(1200)] + [("pets/\udce9", "no image")]
    reader = Reader(broken_page("pets", failures, 5000))
    assert "1,201 of 5,000 files cannot be used" in reader.text
    assert "pets/0.png is <cut> short" in reader.text
    assert "and 201 more" in reader.text
    assert (reader.wrong, reader.stack) == ([], [])


def test_a_name_that_is_too_long_is_cut_in_the_middle(tmp_path):
    names = ("a" * 200 + "END", "dog")
    text = page("x", content(store(tmp_path / "s", names, np.arange(40) % 2, noise(40))))
    assert f"{'a' * 100}…{'a' * 47}END" in unicodedata.normalize("NFC", text)
