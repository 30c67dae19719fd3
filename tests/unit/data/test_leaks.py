"""Names that betray groups, and names that do not: a warning that comes for nothing is not read the next time."""

import logging
import random
import re
import uuid

import numpy as np
import pytest
from PIL import Image

from image_classifier.data.leaks import kin_of_test

N = 400
_random = random.Random(0)  # noqa: S311 (names, no secrets)


def hexadecimal(digits):
    return f"{_random.getrandbits(4 * digits):0{digits}x}"


BETRAYING = {
    "patients": lambda n: f"{'ab'[n % 2]}/patient-{n // 8}_{n % 8:02}.png",
    "patients whose slices were thinned out": lambda n: f"{'ab'[n % 2]}/P{n // 4:04}_{_random.randrange(60):03}.png",
    "subjects in BIDS": lambda n: f"{'ab'[n % 2]}/sub-{n // 10:02}_run-{n % 10}_bold.png",
    "few patients in folders": lambda n: f"{'ab'[n % 2]}/Patient {n % 7}/{hexadecimal(8)}.jpg",
    "folders of unnamed things": lambda n: f"{'ab'[n % 2]}/{n // 5}/{n % 5}.jpg",
    "tracks of traffic signs (GTSRB)": lambda n: f"{n % 5:05}/{n // 30:05}_{n % 30:05}.ppm",
    "follow-ups (ChestX-ray14)": lambda n: f"{'ab'[n % 2]}/{n // 3:08}_{n % 3:03}.png",
    "bursts": lambda n: f"{'ab'[n // 200]}/IMG_2024{n // 4:04}_120000_BURST{n % 4 + 1:03}.jpg",
    "frames of videos": lambda n: f"{'ab'[n // 200]}/clip{n // 50}_frame_{n % 50:06}.jpg",
    "people by name (LFW)": lambda n: f"{'mf'[n % 2]}/{'abcdefghijklmnopqrst'[n % 20]}_Smith_{n // 20:04}.jpg",
    "copies": lambda n: f"{'ab'[n % 2]}/holiday {n // 4} ({n % 4}).jpg",
    "augmented": lambda n: f"{'ab'[n % 2]}/{n // 4}_aug_{n % 4}.jpg",
}
SILENT = {
    "running numbers": lambda n: f"{'ab'[n % 2]}/{n:04}.png",
    "the class and a number": lambda n: f"{('cat', 'dog')[n % 2]}/{('cat', 'dog')[n % 2]}.{n}.jpg",
    "the class and a number in one folder": lambda n: f"images/{('cat', 'dog')[n % 2]}_{n}.jpg",
    "the class's number and one of the image (ImageNet)": lambda n: f"n0{n % 40:07}/n0{n % 40:07}_{n * 37 % 9999}.JPEG",
    "many classes of few": lambda n: f"images/{'abcdefghijklmnopqrstuvwxyz'[n % 25]}_x_{n // 25}.jpg",
    "a camera's counter": lambda n: f"{'ab'[n % 2]}/DSC_{n:04}.JPG",
    "years (VOC)": lambda n: f"{'ab'[n % 2]}/{2007 + n % 6}_{n * 17:06}.jpg",
    "times of day": lambda n: (
        f"{'ab'[n % 2]}/IMG_202401{n % 30 + 1:02}_{_random.randrange(24):02}{n * 7 % 60:02}{n % 60:02}.jpg"
    ),
    "faces with age, sex and a time (UTKFace)": lambda n: (
        f"x/{n % 90}_{n % 2}_{n % 3}_2017011{_random.randrange(10**10)}.jpg"
    ),
    "uuids": lambda n: f"{'ab'[n % 2]}/{uuid.UUID(int=_random.getrandbits(128))}.png",
    "hashes": lambda n: f"{'ab'[n % 2]}/{hexadecimal(32)}.png",
    "short hashes": lambda n: f"{'ab'[n % 2]}/{hexadecimal(3)}.png",
    "folds": lambda n: f"{'ab'[n % 2]}/fold{n % 10}_{n // 10:04}.png",
    "two scans of some": lambda n: f"{'ab'[n % 2]}/scan_{n - n % 10 // 9:04}.{n % 2}.png",
    "one scan each": lambda n: f"{'ab'[n % 2]}/scan_{n:04}.png",
    "subjects that are the classes": lambda n: f"subject{n % 10:02}/{n // 10}.png",
    "two cameras": lambda n: f"{'ab'[n % 2]}/cam{n % 2}_{n:04}.png",
    "birds (CUB)": lambda n: f"{n % 20:03}.Gull/Gull_{n * 7919 % 10000:04}_{n * 13 % 999}.jpg",
    "sub-kinds in folders": lambda n: f"{'ab'[n % 2]}/kind{n % 4}/{n}.png",
    "numbers alone in one folder": lambda n: f"{n}.png",
    "no numbers": lambda n: f"{'ab'[n % 2]}/{''.join(_random.choices('aeioulmnrst', k=9))}.png",
}


def kin(name_of):
    """What is found in a random split of images that are called so."""
    _random.seed(0)
    names = [name_of(number) for number in range(N)]
    test = set(_random.sample(range(N), N * 15 // 100))
    parts = [[name for at, name in enumerate(names) if (at in test) == wanted] for wanted in (False, True)]
    classes = len({re.split(r"[/_]", name.removeprefix("images/"))[0] for name in names})
    return kin_of_test(*parts, max(2, classes)), parts


@pytest.mark.parametrize("what", BETRAYING)
def test_names_that_show_what_belongs_together_are_seen(what):
    related, (train, test) = kin(BETRAYING[what])
    assert len(related) > 0.5 * len(test)
    for one, other in related:
        assert one in test
        assert other in train


@pytest.mark.parametrize("what", SILENT)
def test_names_that_show_nothing_are_passed_over(what):
    assert kin(SILENT[what])[0] == []


@pytest.fixture
def said(prepared, caplog):
    """What is warned of when such data is prepared."""

    def call(folder, **settings):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            prepared(folder, **settings)
        return caplog.text

    return call


def test_a_random_split_by_such_names_is_warned_about_each_time_and_one_of_one_s_own_is_not(tmp_path, picture, said):
    for kind in ("cat", "dog"):
        for number in range(40):
            picture(tmp_path / "all" / kind / f"patient{number // 4}_{number % 4}.png")
    for _ in range(2):
        assert "12 of 12 test images belong to training images" in (text := said(tmp_path / "all"))
        assert "--group_column" in text
    rows = [
        f"{path.relative_to(tmp_path)},{path.parent.name},{path.stem.split('_')[0]}"
        for path in (tmp_path / "all").rglob("*.png")
    ]
    (tmp_path / "m.csv").write_text("\n".join(["image,label,patient", *rows]) + "\n")
    assert said(tmp_path / "m.csv", group_column="patient") == ""
    (tmp_path / "own").mkdir()
    for split in ("train", "test"):
        for kind in ("cat", "dog"):
            for number in range(40):
                picture(tmp_path / "own" / split / kind / f"patient{number // 4}_{number % 4}.png")
    assert said(tmp_path / "own") == ""


@pytest.mark.parametrize(("copies", "warned"), [(3, True), (1, False)])
def test_copies_in_another_exposure_are_warned_about_and_different_images_are_not(
    tmp_path, noise, said, copies, warned
):
    for kind in ("cat", "dog"):
        (tmp_path / "all" / kind).mkdir(parents=True)
        for number in range(40 // copies):
            image = np.asarray(Image.fromarray(noise(4, 4)).resize((32, 32)), dtype=np.float64)
            for copy in range(copies):
                name = f"{number}{'xyz'[copy]}.png"
                Image.fromarray((image * (1 - copy / 10)).astype(np.uint8)).save(tmp_path / "all" / kind / name)
    text = said(tmp_path / "all")
    assert ("test images nearly equal a training image" in text) == warned, text
    assert said(tmp_path / "all") == ""


def test_some_copies_among_many_images_are_none_of_its_business(tmp_path, noise, said):
    (tmp_path / "rows.csv").write_text(
        "\n".join(["image,label", *(f"{number}.png,{'ab'[number % 2]}" for number in range(360))]) + "\n"
    )
    image = noise(16, 16)
    for number in range(360):
        copied = number % 11 == 10  # from the one before
        image = (image * 0.9).astype(np.uint8) if copied else np.asarray(Image.fromarray(noise(4, 4)).resize((16, 16)))
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    assert said(tmp_path / "rows.csv") == ""
