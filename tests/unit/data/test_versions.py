"""What is said of two versions of a data set, against changes that were counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from image_classifier.data.store import Split, Store
from image_classifier.data.tables import Column
from image_classifier.data.versions import difference, kept

# Name, class, split, and the value that all numbers of the example have.
PETS = [
    *((f"cat/{number}.png", "cat", "train", number) for number in range(6)),
    *((f"dog/{number}.png", "dog", "train", 10 + number) for number in range(6)),
    *((f"cat/{number}.png", "cat", "test", number) for number in range(6, 8)),
    *((f"dog/{number}.png", "dog", "test", 10 + number) for number in range(6, 8)),
]


def store(examples, side=2, columns=None, groups=None):
    """A store of these examples, in this order; an example without a name has None in its place."""
    classes = tuple(sorted({label for _, label, _, _ in examples}))
    splits = {}
    for split in ("train", "test"):
        some = [each for each in examples if each[2] == split]
        shape = (len(some), side, side, 3) if columns is None else (len(some), 1, 1, len(columns))
        inputs = np.empty(shape, np.uint8 if columns is None else np.float32)
        inputs[:] = np.array([value for *_, value in some]).reshape(-1, 1, 1, 1)
        names = tuple(name for name, *_ in some)
        splits[split] = Split(
            inputs, np.array([classes.index(label) for _, label, *_ in some]), None if None in names else names,
            groups=None if groups is None else np.array([groups[name] for name in names]),
        )  # fmt: skip
    return Store(
        Path(), classes, (side, side, 3), (0.0,), (1.0,), "", splits, 0, None, draws_test=False, columns=columns
    )


def changed(changes, examples=PETS):
    """The examples, some of them replaced by others (or by none), each by its name; new ones at the end."""
    known = {name for name, *_ in examples}
    found = [changes.get(each[0], each) for each in examples]
    return [each for each in found if each] + [each for name, each in changes.items() if name not in known]


def said(now, before=PETS, **more):
    return difference(store(before, **more), store(now, **more)).words


CHANGES = {
    "cat/8.png": (("cat/8.png", "cat", "train", 8), "1 image more (cat/8.png)"),
    "dog/3.png": (None, "1 image fewer (dog/3.png)"),
    "dog/1.png": (("dog/1.png", "cat", "train", 11), "1 label different (dog/1.png: dog, now cat)"),
    "cat/1.png": (("cat/1.png", "cat", "train", 99), "1 image changed (cat/1.png)"),
    "cat/2.png": (("cat/2.png", "cat", "test", 2), "1 image in another split (cat/2.png: train, now test)"),
    "dog/7.png": (("dog/seven.png", "dog", "test", 17), "1 image renamed (dog/7.png, now dog/seven.png)"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_kind_of_change_is_told_with_its_example(name):
    example, words = CHANGES[name]
    assert said(changed({name: example})) == words


def test_an_image_in_another_class_folder_is_a_label_and_no_new_name():
    moved = changed({"dog/1.png": ("cat/dog1.png", "cat", "train", 11), "cat/7.png": ("cat/7b.png", "cat", "train", 7)})
    assert said(moved) == (
        "1 label different (cat/dog1.png: dog, now cat), 1 image in another split (cat/7b.png: test, now train)"
    )


def test_several_at_once_are_all_told():
    assert said(changed({name: example for name, (example, _) in CHANGES.items()})) == ", ".join(
        words for _, words in CHANGES.values()
    )


def test_the_words_of_the_issue():
    more = {f"new/{number}.png": (f"new/{number}.png", "cat", "train", 50 + number) for number in range(12)}
    labels = {f"dog/{number}.png": (f"dog/{number}.png", "cat", "train", 10 + number) for number in range(3)}
    found = difference(store(PETS), store(changed(more | labels)))
    assert (found.counts["more"], found.counts["relabelled"]) == (12, 3)
    assert sum(found.counts.values()) == 15
    assert found.words == (
        "12 images more (new/0.png, new/1.png, new/2.png, new/3.png, …), "
        "3 labels different (dog/0.png: dog, now cat, dog/1.png: dog, now cat, dog/2.png: dog, now cat)"
    )
    alone = said(changed(more))
    assert alone.count(".png") == 8
    assert alone.endswith(", …)")


def test_data_with_nothing_in_common_is_not_listed():
    other = [(f"other/{name}", label, split, value + 100) for name, label, split, value in PETS]
    assert said(other) == "none of its 16 images was there before"


def test_another_order_alone_is_said_and_no_change_of_an_image_is_seen_in_it():
    assert said(PETS[::-1]) == "the same images in another order"


def test_a_class_that_comes_or_goes_or_has_another_name():
    assert said(changed({"cow/0.png": ("cow/0.png", "cow", "train", 70)})) == (
        "1 image more (cow/0.png), the class cow is new"
    )
    assert said([each for each in PETS if each[1] != "dog"] + [("emu/0.png", "emu", "train", 70)]).endswith(
        ", the class emu is new, the class dog is gone"
    )
    called = [(name, label.replace("cat", "kitten"), split, value) for name, label, split, value in PETS]
    assert said(called) == "the class cat is called kitten now"
    # As a folder shows it, where the class is part of the name.
    moved = [(name.replace("cat", "kitten"), label, split, value) for name, label, split, value in called]
    assert said(moved) == "the class cat is called kitten now"
    # Two classes put together are none that was renamed.
    both = [(name, "pet" if label == "cat" else "dog", split, value) for name, label, split, value in PETS]
    both = changed({"dog/0.png": ("dog/0.png", "pet", "train", 10)}, both)
    assert said(both).startswith("9 labels different")


def nameless(examples):
    return [(None, *rest) for _, *rest in examples]


@pytest.mark.parametrize("name", sorted(CHANGES.keys() - {"dog/7.png"}))
def test_without_names_examples_are_told_apart_by_content_and_counted(name):
    example, words = CHANGES[name]
    expected = words.partition(" (")[0]
    if name == "cat/1.png":  # nothing says that the new content is the old one changed
        expected = "1 image more, 1 image fewer"
    assert said(nameless(changed({name: example})), nameless(PETS)) == expected
    by_place = [[(f"row {at}", *each[1:]) for at, each in enumerate(some)] for some in (changed({name: example}), PETS)]
    assert said(*by_place) == expected


def test_of_equal_contents_the_one_that_is_gone_is_counted_alone():
    twice = [*PETS, ("x", "dog", "train", 1), ("y", "cat", "test", 1)]
    for gone in ("cat/1.png", "x", "y"):
        left = [each for each in twice if each[0] != gone]
        assert said(nameless(left), nameless(twice)) == "1 image fewer"
        assert said(nameless(twice), nameless(left)) == "1 image more"


def test_rows_of_a_table_are_rows():
    columns = (Column("height"), Column("age"))
    rows = nameless(PETS)
    assert said(rows[:-2], rows, columns=columns) == "2 rows fewer"
    other = (Column("height"), Column("kind", ("a", "b")))
    found = difference(store(rows, columns=columns), store([*rows, rows[0]], columns=other))
    assert found.words == "1 row more, other columns or categories (age, kind): values are not compared"


def test_another_preparation_is_said_and_labels_are_compared_by_name():
    found = difference(store(PETS, side=2), store(changed({"dog/1.png": CHANGES["dog/1.png"][0]}), side=3))
    assert found.words == (
        "1 label different (dog/1.png: dog, now cat), prepared at 2×2×3, now at 3×3×3: pixels are not compared"
    )


def test_other_groups_are_said_and_other_numbers_for_the_same_groups_are_none():
    one = {name: at // 4 for at, (name, *_) in enumerate(PETS)}
    same, other = {name: 9 - group for name, group in one.items()}, one | {"cat/0.png": 1}
    words = [difference(store(PETS, groups=one), store(PETS, groups=each)).words for each in (same, other)]
    assert words == ["the same images in another order", "other groups"]


def test_a_store_is_found_in_the_cache_by_its_digest_and_a_damaged_one_is_not(prepared, pets, tmp_path):
    (pets / "cat" / "9.png").rename(tmp_path / "9.png")
    before = prepared(pets)
    (tmp_path / "9.png").rename(pets / "cat" / "9.png")
    now = prepared(pets)
    assert [kept(tmp_path / "cache", each.digest).folder for each in (before, now)] == [before.folder, now.folder]
    assert kept(tmp_path / "cache", "0" * 64) is None
    found = difference(before, now)
    assert found.counts["more"] == 1
    assert found.named["more"] == ["cat/9.png"]
    assert found.counts["relabelled"] == found.counts["changed"] == found.counts["fewer"] == 0
    (tmp_path / "cache" / "loop").mkdir()
    (tmp_path / "cache" / "loop" / "store.json").symlink_to("store.json")  # what cannot be read is none
    array = before.folder / "train_labels.npy"
    array.chmod(0o644)
    array.write_bytes(array.read_bytes()[:-1] + b"x")
    assert kept(tmp_path / "cache", before.digest) is None
