"""Manifests: what is read is what a folder of the same images gives, and whatever is wrong is named by its row."""

import csv
import logging
import os
import shutil

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from image_classifier.data.outline import outline
from image_classifier.data.sources.manifest import is_manifest
from image_classifier.errors import UserError
from image_classifier.lfs import POINTER


def rows_of(pets, depth=1):
    """A row for each image below the folder, those of the last class first."""
    names = sorted((str(path.relative_to(pets.parent)) for path in pets.rglob("*.png")), reverse=True)
    return [{"image": name, "label": name.split("/")[depth]} for name in names]


@pytest.fixture
def manifest(tmp_path):
    """Writes rows as a CSV or Parquet file beside `pets`."""

    def write(rows, name="manifest.csv", encoding="utf-8"):
        path = tmp_path / name
        if path.suffix == ".parquet":
            parquet.write_table(pa.Table.from_pylist(rows), path)
            return path
        with path.open("w", newline="", encoding=encoding) as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


@pytest.fixture
def refused(manifest, prepared):
    """What is said of a manifest that cannot be used, and the hint."""

    def call(rows, **more):
        path = manifest(rows) if isinstance(rows, list) else rows
        with pytest.raises(UserError) as caught:
            prepared(path, **more)
        return f"{caught.value.what}\n{caught.value.hint}"

    return call


@pytest.mark.parametrize("name", ["manifest.csv", "manifest.parquet"])
def test_a_manifest_gives_the_store_that_the_folder_gives(pets, manifest, prepared, name):
    of_folder, of_manifest = prepared(pets), prepared(manifest(rows_of(pets), name))
    assert of_manifest.digest == of_folder.digest
    assert of_manifest.folder != of_folder.folder
    assert of_manifest.splits["train"].names == tuple(f"pets/{each}" for each in of_folder.splits["train"].names)


def test_files_come_before_folders_and_accents_count_as_one_letter_as_in_a_folder(pets, manifest, prepared, picture):
    for name in ("a/1.png", "a.png", "a-b/2.png", "z.png", "e\u0301.png", "\u00e9a.png", "f.png", "10/x.png"):
        picture(pets / "cat" / name)
    for number in range(12):
        picture(pets / "10" / f"{number}.png")
        picture(pets / "9" / f"{number}.png")
    assert prepared(manifest(rows_of(pets))).digest == prepared(pets).digest


def test_a_manifest_s_splits_are_those_of_folders_and_their_usual_names_are_understood(pets, manifest, prepared):
    words = {"train": "Training", "val": "valid", "test": "TEST"}
    for at, split in enumerate(words):
        shutil.copytree(pets, pets.parent / "split" / split)
        for kind in ("cat", "dog"):
            for number in range(10):
                if number % 3 != at:
                    (pets.parent / "split" / split / kind / f"{number}.png").unlink()
    rows = rows_of(pets.parent / "split", depth=2)
    path = manifest([row | {"split": words[row["image"].split("/")[1]]} for row in rows])
    store = prepared(path)
    assert store.digest == prepared(pets.parent / "split").digest
    assert {name: len(split.labels) for name, split in store.splits.items()} == {"train": 8, "val": 6, "test": 6}
    assert prepared(path, split_seed=1).folder == store.folder


def test_the_label_may_stand_in_any_column_and_other_columns_are_not_read(pets, manifest, prepared):
    rows = [{"weight": "?", "image": row["image"], "species": row["label"]} for row in rows_of(pets)]
    path = manifest(rows)
    assert prepared(path, target_column="species").digest == prepared(pets).digest
    with pytest.raises(UserError, match="no column 'label'") as caught:
        prepared(path)
    assert "--target_column" in caught.value.hint


def test_labels_are_texts_as_the_names_of_folders_are(pets, manifest, prepared):
    for old, new in (("cat", "007"), ("dog", "None")):
        (pets / old).rename(pets / new)
    assert prepared(manifest(rows_of(pets))).classes == ("007", "None")


def test_classes_are_in_the_order_of_their_folders(pets, manifest, prepared):
    for old, new in (("cat", "e\u0301"), ("dog", "f")):
        (pets / old).rename(pets / new)
    assert prepared(manifest(rows_of(pets))).classes == prepared(pets).classes == ("f", "\u00e9")


def test_another_label_or_order_of_rows_is_read_again(pets, manifest, prepared):
    rows = rows_of(pets)
    one = prepared(manifest(rows))
    rows = [row | {"label": row["label"].replace("dog", "fox")} for row in rows]
    other = prepared(manifest(rows))
    assert (one.classes, other.classes) == (("cat", "dog"), ("cat", "fox"))
    assert prepared(manifest(rows[::-1])).digest == other.digest


def test_a_csv_without_a_column_image_is_a_table_and_one_with_it_is_none(tmp_path, pets, manifest):
    (tmp_path / "t.csv").write_text("images,label\n1,a\n")
    assert not is_manifest(tmp_path / "t.csv")
    assert not is_manifest(pets)
    for name in ("m.csv", "m.parquet"):
        assert is_manifest(manifest(rows_of(pets), name))
        assert outline(str(tmp_path / name), 16) == outline(str(pets), 16)
    marked = manifest(rows_of(pets), "marked.csv", "utf-8-sig")
    assert is_manifest(marked)
    assert outline(str(marked), 4).words == "images of more than 4 pixels"


def test_a_changed_image_gives_a_new_store_and_an_unchanged_manifest_the_same(pets, manifest, prepared, picture):
    path = manifest(rows_of(pets))
    one = prepared(path)
    assert prepared(path).folder == one.folder
    picture(pets / "cat" / "3.png")
    assert prepared(path).digest != one.digest


def test_groups_stand_on_one_side_of_the_test_split_and_are_kept_for_validation(pets, manifest, prepared):
    rows = [row | {"patient": f"p{int(row['image'][-5]) // 2}"} for row in rows_of(pets)]
    store = prepared(manifest(rows), group_column="patient")
    patients = {split: {int(name[-5]) // 2 for name in part.names} for split, part in store.splits.items()}
    assert not patients["train"] & patients["test"]
    for split, part in store.splits.items():
        assert len(part.groups) == len(part.labels)
        assert len(set(part.groups.tolist())) == len(patients[split])
        assert len(set(zip(part.groups.tolist(), (int(name[-5]) // 2 for name in part.names), strict=True))) == len(
            patients[split]
        )
    renamed = manifest([row | {"patient": f"x-{row['patient']}"} for row in rows], "b.csv")
    assert prepared(renamed, group_column="patient").digest == store.digest
    assert "x-p" not in (prepared(renamed, group_column="patient").folder / "store.json").read_text()
    assert prepared(renamed).digest == prepared(pets).digest != store.digest


def test_a_split_of_one_s_own_that_divides_a_group_is_refused_naming_it(pets, refused):
    rows = [row | {"split": "test" if row["image"][-5] in "89" else "train", "day": "d1"} for row in rows_of(pets)]
    rows = [row | {"day": f"d{row['image'][-5]}"} for row in rows]
    rows[0]["day"] = "d3"
    assert rows[0]["split"] == "test"
    assert "1 groups" in (said := refused(rows, group_column="day"))
    assert "in train and in test: d3" in said


def test_every_missing_file_is_listed_with_its_row(pets, refused):
    rows = rows_of(pets)
    for at in (3, 11):
        (pets.parent / rows[at]["image"]).unlink()
    (pets / "folder.png").mkdir()
    rows.append({"image": "pets/folder.png", "label": "cat"})
    said = refused(rows)
    assert "3 of 21 rows" in said
    for at in (3, 11):
        assert f"row {at + 1}, {rows[at]['image']}: No such file or directory" in said
    assert "row 21, pets/folder.png: not a regular file" in said
    assert f"relative to the manifest's folder, {pets.parent}" in said


def test_every_unreadable_file_is_listed_with_its_row(pets, refused):
    rows = rows_of(pets)
    for at in (0, 12):
        (pets.parent / rows[at]["image"]).write_bytes(b"\x89PNG broken")
    said = refused(rows)
    assert "2 of 20 files cannot be used" in said
    for at in (0, 12):
        assert f"row {at + 1}, {rows[at]['image']}: not a readable image" in said
    assert "remove their rows" in said


@pytest.mark.parametrize(("image", "words"), [
    ("/etc/hostname", "an absolute path"),
    ("../outside.png", "outside of the manifest's folder"),
    ("pets/../../outside.png", "outside of the manifest's folder"),
    ("a\x00b.png", "null byte"),
    ("x" * 300, "File name too long"),
])  # fmt: skip
def test_a_path_that_leads_elsewhere_is_refused_with_its_row(tmp_path, pets, picture, refused, image, words):
    picture(tmp_path.parent / "outside.png")
    said = refused([*rows_of(pets), {"image": image, "label": "cat"}])
    assert "1 of 21 rows" in said
    assert words in said.partition("row 21")[2]


def test_paths_of_other_systems_are_refused_with_how_they_are_written_here(pets, refused):
    rows = rows_of(pets)
    rows[0]["image"], rows[1]["image"] = rows[0]["image"].replace("/", "\\"), rows[1]["image"].replace("dog", "%64og")
    said = refused(rows)
    assert "row 1, pets\\dog\\9.png: not found, for it has backslashes: there is pets/dog/9.png" in said
    assert "row 2, pets/%64og/8.png: not found, for it is quoted as in an address: there is pets/dog/8.png" in said


@pytest.mark.parametrize(
    "written",
    [
        lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\n\n").encode(),
        lambda text: "\n".join(f'"{line.replace(",", chr(34) + "," + chr(34))}"' for line in text.split()).encode(),
    ],
    ids=["a mark and line ends of Windows", "empty lines", "quotes"],
)
def test_a_manifest_as_other_programs_write_it_is_read(pets, tmp_path, prepared, manifest, written):
    path = manifest(rows_of(pets))
    expected = prepared(path).digest
    path.write_bytes(written(path.read_text()))
    assert prepared(path).digest == expected


@pytest.mark.parametrize("content", [b"\x89PNG", {"bytes": b"\x89PNG", "path": "1.png"}])
def test_images_themselves_in_place_of_paths_are_refused(tmp_path, refused, content):
    parquet.write_table(pa.table({"image": [content] * 4, "label": list("abab")}), tmp_path / "m.parquet")
    assert "images themselves, and not the paths of files" in refused(tmp_path / "m.parquet")


def test_a_name_over_two_lines_is_a_name(pets, manifest, prepared):
    (pets / "cat" / "0.png").rename(pets / "cat" / "a\nb.png")
    assert len(prepared(manifest(rows_of(pets))).splits["train"].labels) == 17


def test_a_path_that_only_seems_to_lead_elsewhere_is_read(pets, manifest, prepared):
    rows = rows_of(pets)
    changed = [{**row, "image": f"./pets/dog/../{row['image'].removeprefix('pets/')}"} for row in rows]
    assert prepared(manifest(changed)).digest == prepared(pets).digest


def test_an_image_that_is_named_twice_is_refused_with_both_rows_and_what_differs(pets, refused):
    rows = rows_of(pets)
    said = refused([*rows, rows[4], {"image": f"./{rows[2]['image']}", "label": "cat"}])
    assert f"row 21, {rows[4]['image']}: named in row 5 already\n" in said
    assert f"row 22, {rows[2]['image']}: named in row 3 already, with another label" in said


@pytest.mark.parametrize(("labels", "words"), [
    ({2: "", 5: ""}, "label in {path} has no value in row 3, 6"),
    ({2: "nan"}, "label in {path} has no value in row 3"),
    ({2: "  "}, "label in {path} has no value in row 3"),
    ({2: "dog "}, "spells one class in two ways: 'dog' and 'dog '"),
    (dict.fromkeys(range(20), "cat"), "names one class only: cat"),
    ({at: f"{at}.5" for at in range(20)}, "20 different values in 20 rows: a number, not a class"),
    ({at: ("1", "1.0", "2")[at % 3] for at in range(20)}, "spells one class in two ways: '1' and '1.0'"),
    ({2: "a\x07"}, "is not plain text"),
    ({1: "e\u0301", 2: "\u00e9"}, "stands more than once"),
])  # fmt: skip
def test_labels_that_are_missing_mixed_or_no_classes_are_refused(pets, refused, labels, words):
    rows = [row | {"label": labels.get(at, row["label"])} for at, row in enumerate(rows_of(pets))]
    assert words.format(path=pets.parent / "manifest.csv") in refused(rows)


def test_a_label_that_train_does_not_know_is_refused_with_its_rows(pets, refused):
    rows = [row | {"split": "test" if row["image"][-5] in "89" else "train"} for row in rows_of(pets)]
    rows[0]["label"] = rows[10]["label"] = "fox"
    assert "label in" in (said := refused(rows))
    assert "is fox in row 1, 11, and in no row of train" in said


@pytest.mark.parametrize(("splits", "words"), [
    ({3: "holdout", 4: "fold2"}, "split in {path} is 'fold2', 'holdout' in row 4, 5"),
    ({3: "train2"}, "split in {path} is 'train2' in row 4"),
    ({3: ""}, "split in {path} has no value in row 4"),
    (dict.fromkeys(range(20), "test"), "has no row with train"),
])  # fmt: skip
def test_splits_that_say_nothing_are_refused(pets, refused, splits, words):
    rows = [row | {"split": splits.get(at, "train")} for at, row in enumerate(rows_of(pets))]
    assert words.format(path=pets.parent / "manifest.csv") in refused(rows)


@pytest.mark.parametrize(("given", "words"), [
    ({"group_column": "patiend"}, "did you mean patient?"),
    ({"group_column": "label"}, "both the class and the group"),
    ({"group_column": "image"}, "name neither class nor group"),
    ({"group_column": "patient"}, "patient in {path} has no value in row 2"),
    ({"group_column": "site"}, "site in {path} names one group only: a"),
    ({"drop_columns": ("site",)}, "drop_columns is set, but {path} is a manifest of images"),
])  # fmt: skip
def test_columns_that_cannot_group_are_refused(pets, refused, given, words):
    rows = [row | {"patient": "" if at == 1 else f"p{at}", "site": "a"} for at, row in enumerate(rows_of(pets))]
    assert words.format(path=pets.parent / "manifest.csv") in refused(rows, **given)


def test_text_that_is_not_utf8_is_refused_with_its_row(pets, manifest, refused):
    rows = rows_of(pets)
    rows[2]["label"] = "ki\u00e9"
    assert "label in" in (said := refused(manifest(rows, encoding="latin-1")))
    assert "is not UTF-8 text in row 3: 'ki\\xe9'" in said
    assert "iconv" in said


@pytest.mark.parametrize(("content", "words"), [
    (b"image,label\n", "a header and no rows"),
    (b"image;label\na.png;cat\n", "separated by ';'"),
    (b"", "no readable table"),
    (b"image,label\na.png,cat,3\n", "no readable table"),
    (b"image,image,label\na,b,c\n", "more than once"),
])  # fmt: skip
def test_a_file_that_is_no_manifest_is_refused(tmp_path, refused, content, words):
    (tmp_path / "m.csv").write_bytes(content)
    assert words in refused(tmp_path / "m.csv")


def test_pointers_in_place_of_images_and_of_the_manifest_are_named_with_what_fetches_them(pets, manifest, refused):
    rows = rows_of(pets)
    pointed = POINTER + b"v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"
    (pets.parent / rows[1]["image"]).write_bytes(pointed)
    kept = pets.parent / rows[7]["image"]
    kept.rename(f"{kept}.dvc")
    shutil.rmtree(pets / "cat")
    (pets / "cat.dvc").write_text("outs:\n- path: cat\n")
    said = refused(rows)
    assert f"row 2, {rows[1]['image']}: a Git LFS pointer, not the file itself: git lfs pull" in said
    assert f"row 8, {rows[7]['image']}: not here; DVC keeps it: dvc pull" in said
    assert f"row 20, {rows[19]['image']}: not here; DVC keeps it: dvc pull" in said
    path = manifest(rows)
    path.write_bytes(pointed)
    assert "git lfs pull" in refused(path)
    path.unlink()
    (path.parent / "manifest.csv.dvc").touch()
    assert "dvc pull" in refused(path)


def test_groups_of_a_table_are_no_feature_and_stand_on_one_side(tmp_path, prepared, caplog):
    lines = ["length,kind,day"] + [f"{row + row % 7},{'ab'[row % 2]},{row // 4:03}" for row in range(80)]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    settings = {"target_column": "kind", "group_column": "day"}
    store = prepared(tmp_path / "t.csv", **settings)
    assert [column.name for column in store.columns] == ["length"]
    days = {
        split: {next(row // 4 for row in range(80) if row + row % 7 == value) for value in part.inputs.ravel()}
        for split, part in store.splits.items()
    }
    assert len(days["train"]) + len(days["test"]) == 20
    assert not days["train"] & days["test"]
    assert len(store.splits["test"].labels) == 12
    without = prepared(tmp_path / "t.csv", target_column="kind", drop_columns=("day",))
    assert without.splits["train"].groups is None
    assert without.digest != store.digest


def test_a_class_that_too_few_groups_have_is_told_not_to_be_tested(pets, manifest, prepared, caplog):
    rows = [row | {"day": "one" if row["label"] == "dog" else row["image"]} for row in rows_of(pets)]
    with caplog.at_level(logging.WARNING):
        store = prepared(manifest(rows), group_column="day")
    assert set(store.splits["test"].labels.tolist()) == {0}
    assert "no test example of dog: too few groups have it" in caplog.text


def test_groups_of_which_none_can_be_set_aside_are_refused(pets, refused):
    rows = [row | {"day": row["label"]} for row in rows_of(pets)]
    assert "20 examples in 2 groups: none can be set aside for the test" in refused(rows, group_column="day")


def test_a_store_without_groups_cannot_be_asked_for_them(pets, manifest, prepared):
    rows = [row | {"day": row["image"][-5]} for row in rows_of(pets)]
    store = prepared(pets)
    with pytest.raises(UserError, match="was prepared without groups; group_column is day"):
        prepared(store.folder, group_column="day")
    grouped = prepared(manifest(rows), group_column="day")
    assert np.array_equal(
        prepared(grouped.folder, group_column="day").splits["test"].groups, grouped.splits["test"].groups
    )


def test_a_link_in_place_of_an_image_is_followed(pets, manifest, prepared):
    expected = prepared(pets).digest
    (pets / "cat" / "0.png").rename(pets.parent / "elsewhere")
    os.symlink(pets.parent / "elsewhere", pets / "cat" / "0.png")
    assert prepared(manifest(rows_of(pets))).digest == expected
