"""What a data card says of a store: counted again here, by other means."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_wine

from image_classifier.data import preparing
from image_classifier.data_card import content as content_module
from image_classifier.data_card.content import content


def prepared(folder, dataset, **settings):
    return preparing.prepare(
        str(dataset), image_size=None, split_seed=0, cache_folder=folder / "cache", quiet=True, **settings
    )


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """Bright cats and dark dogs of two sizes; a dog that is called a cat, in train and, equal, in test."""
    folder = tmp_path_factory.mktemp("content")
    random = np.random.default_rng(0)
    for split, count in (("train", 20), ("test", 6)):
        for name, level in (("cat", 160), ("dog", 60)):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(level, level + 60, (24 + number % 2 * 8, 24, 3), np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{number:02}.png")
    dog = Image.open(folder / "train" / "dog" / "03.png")
    dog.save(folder / "train" / "cat" / "99.png")
    dog.save(folder / "test" / "cat" / "99.png")
    return content(prepared(folder, folder))


def test_each_example_is_found_in_its_split_by_its_number(pets):
    assert len(pets.labels) == 54
    last, first = pets.example(53), pets.example(41)
    assert (first.split, first.row, first.name) == ("test", 0, "test/cat/00.png")
    assert (last.split, last.row, last.name) == ("test", 12, "test/dog/05.png")
    assert pets.example(40).split == "train"


def test_the_image_with_a_wrong_label_comes_first_wherever_it_stands(pets):
    first = {pets.example(pets.judged[index]).name for index in pets.suspicion.order[:2]}
    assert first <= {"train/cat/99.png", "test/cat/99.png", "train/dog/03.png"}
    assert pets.agreement > 0.9


def test_the_equal_images_are_one_group(pets):
    (group,) = [[pets.example(n).name for n in np.flatnonzero(pets.duplicates.exact == g)]
                for g in np.flatnonzero(np.bincount(pets.duplicates.exact) > 1)]  # fmt: skip
    assert group == ["train/cat/99.png", "train/dog/03.png", "test/cat/99.png"]


def test_sizes_of_the_files_are_told_where_they_differ(pets):
    heights = next(each for each in pets.quantities if each.name == "height in pixels")
    assert sorted(set(heights.values["train"])) == [24, 32]
    assert "brightness" in [each.name for each in pets.quantities]


def test_a_table_has_its_columns_and_its_wrong_labels(tmp_path):
    about = content(prepared(tmp_path, "wine"))
    wine = load_wine()
    alcohol = np.concatenate([*about.quantities[0].values.values()])
    assert about.noun == "rows"
    assert sorted(alcohol) == pytest.approx(sorted(wine.data[:, 0]), rel=1e-6)
    assert about.agreement > 0.95


def test_categories_are_told_by_their_words(tmp_path):
    lines = [f"{number % 7},{'red' if number % 2 else 'blue'},{'ab'[number % 2]}" for number in range(60)]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["x,colour,y", *lines]) + "\n")
    about = content(prepared(tmp_path, table, target_column="y"))
    colours = next(each for each in about.quantities if each.name == "colour").values["train"]
    assert set(colours) == {"red", "blue"}


def test_of_a_large_data_set_a_random_part_is_judged(pets, monkeypatch):
    monkeypatch.setattr(content_module, "_MOST_JUDGED", 30)
    monkeypatch.setattr(content_module, "_MOST_MEASURED", 10)
    about = content(pets.store)
    assert len(about.judged) == 30
    assert len(set(about.judged)) == 30
    assert len(about.quantities[0].values["train"]) == 10
    assert [about.example(number).label for number in about.judged] == list(about.labels[about.judged])
