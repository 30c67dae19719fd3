"""`prepare --report` by the command line, and its page in a browser: it is whole, quiet, and fits its window."""

import dataclasses
import hashlib
import json
import shutil

import browser
import numpy as np
import pytest
import warm
from PIL import Image
from playwright.sync_api import sync_playwright

from image_classifier import train
from image_classifier.data.preparing import prepare as prepare_store
from image_classifier.data_card.content import content
from image_classifier.main import main

# Long, from right to left, and one that would be markup.
NAMES = ("قطة سوداء", "ein sehr langer Klassenname ohne Ende " * 4, "<b>dog</b>", "Donaudampfschifffahrt" * 6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty images of four classes, each told by its colour, one of them in the wrong folder."""
    folder = tmp_path_factory.mktemp("data card")
    random = np.random.default_rng(0)
    for label, name in enumerate(NAMES):
        place = folder / "pets" / name.replace("/", "").strip()
        place.mkdir(parents=True)
        for number in range(14):
            colour = np.array([40 + 50 * label, 200 - 40 * label, 128])
            pixels = np.clip(random.normal(colour, 25, (24, 30, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(place / f"{number:02}.png")
    wrong = folder / "pets" / NAMES[0] / "wrong.png"
    shutil.copy(folder / "pets" / NAMES[3] / "03.png", wrong)
    return folder


def prepare(folder, *arguments):
    return warm.run("image_classifier", "prepare", "--cache_folder", folder / "cache", *arguments, folder=folder)


@pytest.fixture(scope="module")
def card(folder):
    done = prepare(folder, "--dataset_folder", "pets", "--report", "card.html")
    assert done.returncode == 0, done.stderr
    assert "data card  card.html" in done.stderr
    assert len(done.stdout.strip()) == 64
    return folder / "card.html"


@pytest.mark.parametrize("width", [1200, 380])
def test_the_page_in_a_browser(card, width):
    asked, said = [], []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.needed(), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": width, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(card.as_uri())
        images = page.locator("img").evaluate_all("all => all.map(each => each.naturalWidth)")
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        first = page.locator("#labels figure").first.inner_text()
        colour = page.locator(".bar i").first.evaluate("each => getComputedStyle(each).backgroundColor")
        chromium.close()
    assert [url for url in asked if not url.startswith(("file:", "data:image/"))] == []
    assert said == [], "the style and the images are allowed by the page's own policy"
    assert len(images) > 40
    assert min(images) > 0, "an image that the browser cannot show"
    assert overflow <= 0
    assert "wrong.png" in first or "03.png" in first
    assert colour == "rgb(0, 114, 178)", "the style is not the page's"


def test_the_page_does_not_depend_on_where_the_data_lies_or_on_the_output(folder, card):
    text = card.read_text()
    assert str(folder) not in text
    done = prepare(folder, "--dataset_folder", "pets", "--report", "again.html", "--output", "store")
    assert done.returncode == 0, done.stderr
    assert (folder / "store" / "store.json").is_file()
    assert (folder / "again.html").read_text() == text


def test_a_prepared_store_has_a_card_too(folder, card):
    assert prepare(folder, "--dataset_folder", "pets", "--output", "kept").returncode == 0
    done = prepare(folder, "--dataset_folder", "kept", "--report", "kept.html")
    assert done.returncode == 0, done.stderr
    assert (folder / "kept.html").read_text().replace("kept", "pets") == card.read_text()


def test_files_that_cannot_be_used_are_on_the_page_and_the_command_fails(folder, tmp_path):
    shutil.copytree(folder / "pets", tmp_path / "pets")
    (tmp_path / "pets" / NAMES[0] / "broken.png").write_bytes(b"\x89PNG no more")
    done = prepare(tmp_path, "--dataset_folder", "pets", "--report", "card.html")
    assert done.returncode == 2
    assert "error: 1 of 58 files cannot be used" in done.stderr
    text = (tmp_path / "card.html").read_text()
    assert "broken.png" in text
    assert "1 of 58 files cannot be used" in text


@pytest.mark.parametrize(
    ("report", "what"), [("card.txt", "does not end in .html"), ("none/card.html", "there is no folder none")]
)
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_prepared(tmp_path, report, what):
    done = prepare(tmp_path, "--dataset_folder", "digits", "--report", report)
    assert done.returncode == 2
    assert what in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_one_class_is_refused_as_without_a_page(tmp_path):
    (tmp_path / "pets" / "cat").mkdir(parents=True)
    for number in range(9):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "pets" / "cat" / f"{number}.png")
    done = prepare(tmp_path, "--dataset_folder", "pets", "--report", "card.html")
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert not (tmp_path / "card.html").exists()


def test_a_run_trained_after_the_card_was_made_holds_it_and_its_weights_are_those_of_one_without(
    folder, card, tmp_path, capsys
):
    def trained(name, cache):
        return train(
            dataset_folder=folder / "pets", experiment_name="e", run_name=name, experiments_folder=tmp_path,
            cache_folder=cache, model="cnn", num_epochs=1, num_threads="1",
        )  # fmt: skip

    without, holding = trained("without", tmp_path / "cache"), trained("holding", folder / "cache")
    assert not without.path("data_card.html").exists()
    page = holding.path("data_card.html").read_bytes()
    assert page.decode().replace("kept", "pets") == card.read_text()  # the last page about the same data
    for name in ("model.pth", "predictions.npz"):
        assert holding.path(name).read_bytes() == without.path(name).read_bytes()
    listed = [json.loads(run.path("run.json").read_text())["files"] for run in (without, holding)]
    assert "data_card.html" not in listed[0]
    assert listed[1]["data_card.html"]["sha256"] == hashlib.sha256(page).hexdigest()
    said = []
    for run in (without, holding):
        capsys.readouterr()
        assert main(["notify", str(run.folder)]) == 0
        said.append(capsys.readouterr().out)
    assert ["| what the data are like |" in text for text in said] == [False, True]


def test_seven_of_ten_swapped_labels_of_photos_stand_in_the_first_tenth_of_the_list(trashnet, tmp_path):
    store = prepare_store(
        str(trashnet), image_size=None, split_seed=0, cache_folder=tmp_path / "cache", quiet=True
    )  # 1,387 photos of six classes
    random, splits, swapped = np.random.default_rng(0), {}, []
    start = 0
    for name, split in store.splits.items():
        labels = split.labels.copy()
        wrong = random.choice(len(labels), len(labels) // 20, replace=False)
        labels[wrong] = (labels[wrong] + random.integers(1, 6, len(wrong))) % 6
        splits[name] = dataclasses.replace(split, labels=labels)
        swapped += (start + wrong).tolist()
        start += len(labels)
    found = content(dataclasses.replace(store, splits=splits))
    first = found.judged[found.suspicion.order[: start // 10]]
    assert np.isin(swapped, first).mean() >= 0.7
