"""Tables: what is read, what is refused and how, and that a row's numbers are what a hand computes."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from image_classifier.data.outline import outline
from image_classifier.data.sources.table import read
from image_classifier.data.tables import Column
from image_classifier.errors import UserError

ROWS = 40


def flowers(rows=ROWS):
    """A table's lines: two numbers, a category, the class."""
    lines = ["length,width,colour,kind"]
    for row in range(rows):
        kind = ("aster", "rose")[row % 2]
        lines.append(f"{row + 0.5},{(row * 7) % 11},{('red', 'white', 'blue')[row % 3]},{kind}")
    return lines


@pytest.fixture
def table(tmp_path):
    """Writes lines as a CSV file."""

    def write(lines, name="t.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
        return path

    return write


@pytest.fixture
def refused(table, prepared):
    """What is said of a table that cannot be used, and the hint."""

    def call(lines, target="kind", drop=(), **more):
        path = lines if not isinstance(lines, list) else table(lines, **more)
        with pytest.raises(UserError) as caught:
            prepared(path, target_column=target, drop_columns=drop)
        return caught.value.what, caught.value.hint

    return call


def test_numbers_are_kept_categories_become_one_number_each_and_the_classes_are_sorted(table, prepared):
    store = prepared(table(flowers()), target_column="kind")
    assert store.classes == ("aster", "rose")
    assert store.columns == (Column("length"), Column("width"), Column("colour", ("blue", "red", "white")))
    assert store.shape == (1, 1, 5)
    rows = np.concatenate([store.splits[name].inputs for name in ("train", "test")])[:, 0, 0]
    rows = rows[np.argsort(rows[:, 0])]
    expected = [[row + 0.5, (row * 7) % 11, *(float(row % 3 == number) for number in (2, 0, 1))] for row in range(ROWS)]
    assert rows.tolist() == expected
    labels = np.concatenate([store.splits[name].labels for name in ("train", "test")])
    assert sorted(labels.tolist()) == [0] * (ROWS // 2) + [1] * (ROWS // 2)


def test_mean_and_deviation_are_those_of_the_training_rows_and_categories_stay_0_and_1(table, prepared):
    store = prepared(table(flowers()), target_column="kind")
    train = np.asarray(store.splits["train"].inputs, np.float64)[:, 0, 0]
    assert store.mean[:2] == pytest.approx(train[:, :2].mean(0), rel=1e-12)
    assert store.std[:2] == pytest.approx(train[:, :2].std(0), rel=1e-12)
    assert (store.mean[2:], store.std[2:]) == ((0, 0, 0), (1, 1, 1))


def test_parquet_and_csv_of_the_same_rows_make_the_same_store(table, prepared, tmp_path):
    one = prepared(table(flowers()), target_column="kind")
    columns = list(zip(*(line.split(",") for line in flowers()[1:]), strict=True))
    typed = [list(map(float, columns[0])), list(map(int, columns[1])), columns[2], columns[3]]
    names = flowers()[0].split(",")
    parquet.write_table(pa.table(dict(zip(names, typed, strict=True))), tmp_path / "t.parquet")
    two = prepared(tmp_path / "t.parquet", target_column="kind")
    assert two.digest == one.digest


@pytest.fixture
def parts(table, tmp_path):
    """`flowers` as Spark writes them: a folder with three parts of which one is empty, a mark and checksums."""
    whole = read(table(flowers()))
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, rows in (("0", whole[:25]), ("1", whole[:0]), ("2", whole[25:])):
        parquet.write_table(rows, folder / f"part-0000{name}-c000.snappy.parquet")
        (folder / f".part-0000{name}-c000.snappy.parquet.crc").write_bytes(b"crc")
    (folder / "_SUCCESS").touch()
    return folder


def test_a_folder_of_parquet_parts_is_the_table_that_was_cut(table, prepared, parts):
    one, two = prepared(table(flowers()), target_column="kind"), prepared(parts, target_column="kind")
    assert two.digest == one.digest
    (parts / "part-00002-c000.snappy.parquet").unlink()
    assert prepared(parts, target_column="kind").digest != one.digest


def test_the_model_for_a_folder_of_parquet_parts_is_one_for_tables(parts):
    assert outline(str(parts), 16).is_table


def a_picture(folder):
    (folder / "1.png").touch()


def other_columns(folder):
    parquet.write_table(pa.table({"length": [1.0], "kind": ["rose"]}), folder / "part-00003.parquet")


def other_types(folder):
    first = folder / "part-00000-c000.snappy.parquet"
    table = parquet.read_table(first)
    parquet.write_table(table.set_column(0, "length", table["length"].cast("string")), folder / "part-00003.parquet")


def broken(folder):
    (folder / "part-00002-c000.snappy.parquet").write_bytes(b"PAR1 no more")


def without_rows(folder):
    for number in (0, 2):
        (folder / f"part-0000{number}-c000.snappy.parquet").unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (a_picture, ["3 Parquet files and something else: 1.png", "put the others elsewhere"]),
        (other_columns, ["part-00000-c000.snappy.parquet and part-00003.parquet", "different columns"]),
        (other_types, ["part-00000-c000.snappy.parquet and part-00003.parquet", "different columns"]),
        (broken, ["parts is no readable table"]),
        (without_rows, ["a header and no rows"]),
        (lambda folder: [path.unlink() for path in folder.glob("part*")], ["a table without rows", "data with rows"]),
        (lambda folder: (folder / "_temporary").mkdir(), ["written at this moment", "write again"]),
    ],
)
def test_parts_that_are_no_one_table_are_refused(refused, parts, change, words):
    change(parts)
    said = " | ".join(refused(parts))
    for word in words:
        assert word in said


def test_parquet_beside_class_folders_is_not_used_as_before(pets, prepared, parts):
    (parts / "part-00000-c000.snappy.parquet").rename(pets / "labels.parquet")
    assert prepared(pets).classes == ("cat", "dog")


def test_a_byte_order_mark_and_windows_line_ends_are_not_part_of_the_names(table, prepared):
    plain = prepared(table(flowers()), target_column="kind")
    marked = prepared(table([line + "\r" for line in flowers()], "b.csv", "utf-8-sig"), target_column="kind")
    assert marked.digest == plain.digest


def test_the_target_may_be_whole_numbers_and_is_sorted_as_numbers(table, prepared):
    lines = ["a,quality", *(f"{row}.5,{(2, 10, 9)[row % 3]}" for row in range(30))]
    assert prepared(table(lines), target_column="quality").classes == ("2", "9", "10")


def test_dropped_columns_are_not_read_even_if_they_are_broken(table, prepared):
    lines = [f"{line},{('' if row == 3 else row) if row else 'id'}" for row, line in enumerate(flowers())]
    store = prepared(table(lines), target_column="kind", drop_columns=("id", "colour"))
    assert [column.name for column in store.columns] == ["length", "width"]


def test_the_same_settings_find_the_store_again_and_others_make_another(table, prepared):
    path = table(flowers())
    one = prepared(path, target_column="kind")
    assert prepared(path, target_column="kind").folder == one.folder
    assert prepared(path, target_column="kind", drop_columns=("colour",)).folder != one.folder
    assert prepared(path, target_column="colour").classes == ("blue", "red", "white")


def test_rows_are_read_with_another_run_s_columns_and_unknown_categories_are_none(table, prepared):
    columns = (Column("colour", ("green", "red")), Column("length"))
    store = prepared(table(flowers()), target_column="kind", columns=columns)
    rows = np.concatenate([store.splits[name].inputs for name in ("train", "test")])[:, 0, 0]
    rows = rows[np.argsort(rows[:, 2])]
    assert rows[:3].tolist() == [[0, 1, 0.5], [0, 0, 1.5], [0, 0, 2.5]]


def test_categories_that_look_like_numbers_are_found_again_where_nothing_else_stands_beside_them(table, prepared):
    lines = ["size,kind", *(f"{1 + row % 3},{('aster', 'rose')[row % 2]}" for row in range(ROWS))]
    store = prepared(table(lines), target_column="kind", columns=(Column("size", ("1", "2", "XL")),))
    rows = np.concatenate([store.splits[name].inputs for name in ("train", "test")])[:, 0, 0]
    assert sorted(map(tuple, rows.tolist())) == sorted([(1, 0, 0)] * 14 + [(0, 1, 0)] * 13 + [(0, 0, 0)] * 13)


@pytest.mark.parametrize(
    ("change", "target", "words"),
    [
        (lambda lines: lines, "kinf", ["no column 'kinf'", "did you mean kind?"]),
        (lambda lines: lines, None, ["which column", "--target_column", "length, width, colour, kind"]),
        (lambda lines: lines[:1], "kind", ["a header and no rows"]),
        (lambda lines: [], "kind", ["no readable table"]),
        (lambda lines: [line.replace(",", ";") for line in lines], "kind", ["separated by ';'", "commas"]),
        (lambda lines: [line.replace(",", "\t") for line in lines], "kind", [r"separated by '\t'"]),
        (lambda lines: [*lines, "1.5,,red,rose"], "kind", ["width", "1 of 41 rows", "row 41", "--drop_columns width"]),
        (lambda lines: [*lines, "NaN,1,red,rose"], "kind", ["length", "row 41"]),
        (lambda lines: [*lines, "inf,1,red,rose"], "kind", ["length", "inf", "row 41"]),
        (lambda lines: [*lines, "1,2,red,"], "kind", ["kind", "no value in row 41"]),
        (lambda lines: [line + ",7" if row else line + ",one" for row, line in enumerate(lines)], "kind",
         ["one in", "one value in all training rows", "--drop_columns one"]),
        (lambda lines: [line.replace("aster", "rose") for line in lines], "kind", ["one class only: rose"]),
        (lambda lines: lines, "length", ["a number, not a class"]),
        (lambda lines: [line.replace("width", "length") for line in lines], "kind", ["length", "more than once"]),
        (lambda lines: [*lines, "1,2,red"], "kind", ["no readable table", "Expected 4 columns"]),
        (lambda lines: [*lines, "1,x2,red,rose"], "kind", ["width", "numbers, but also 'x2'"]),
        (lambda lines: [f"{line},{'id' if not row else f'user {row}'}" for row, line in enumerate(lines)], "kind",
         ["40 different texts", "--drop_columns id"]),
        (lambda lines: [*lines, "1e39,1,red,rose"], "kind", ["length", "1e+39", "row 41", "t.csv", "--drop_columns"]),
        (lambda lines: [*lines, "-1e308,1,red,rose"], "kind", ["length", "-1e+308", "row 41"]),
        (lambda lines: [*lines, "1e400,1,red,rose"], "kind", ["length", "inf", "row 41"]),
        (lambda lines: [*lines, f"{10**60},1,red,rose"], "kind", ["length", "1e+60", "row 41"]),
        (lambda lines: [line.replace(".5", "e-300") for line in lines], "kind", ["length", "less than 32-bit"]),
        (lambda lines: [line.replace(".5,", "e-41,") for line in lines], "kind", ["length", "less than 32-bit"]),
        (lambda lines: [f"{line},{'day' if not row else '2020-01-01'}" for row, line in enumerate(lines)], "kind",
         ["day", "date32"]),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_learned_from_is_refused_with_the_place_and_the_way_out(refused, change, target, words):
    said = " | ".join(refused(change(flowers()), target))
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("change", "target", "words"),
    [
        (("aster", "café"), "kind", ["kind in", "t.csv", "row 1", r"'caf\xe9'"]),
        (("white", "weiß"), "kind", ["colour in", "t.csv", "row 2", r"'wei\xdf'"]),
        (("width", "größe"), "kind", ["names of the columns", "t.csv", "line 1, byte 10", "'length,gr'"]),
        (("kind", "kïnd"), "kïnd", ["names of the columns", "t.csv", "line 1, byte 22"]),
    ],
)
def test_text_in_latin_1_is_refused_with_its_place_and_the_command_that_helps(refused, change, target, words):
    what, hint = refused([line.replace(*change) for line in flowers()], target, encoding="latin-1")
    for word in words:
        assert word in what
    assert "iconv -f LATIN1 -t UTF-8 t.csv" in hint


def test_a_column_in_latin_1_can_be_left_out(table, prepared):
    path = table([line.replace("white", "weiß") for line in flowers()], encoding="latin-1")
    store = prepared(path, target_column="kind", drop_columns=("colour",))
    assert [column.name for column in store.columns] == ["length", "width"]


def test_the_largest_and_the_smallest_numbers_that_32_bits_can_scale_are_read(table, prepared):
    lines = ["a,b,kind", *(f"{(-3.4e38, 3.4e38)[row % 2]},{row}e-36,{('aster', 'rose')[row % 2]}" for row in range(40))]
    store = prepared(table(lines), target_column="kind")
    scaled = (store.splits["test"].inputs[:, 0, 0] - np.float32(store.mean)) * (1 / np.array(store.std, np.float32))
    assert np.isfinite(scaled).all()
    assert (np.abs(scaled) < 3).all()


@pytest.mark.parametrize(
    "content", [b"\x00" * 100, b"PK\x03\x04" + b"\x00" * 60, b"a,b\n\xff\xfe,1\n", b"\xff\xfea\x00,\x00"]
)
@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_what_is_no_table_at_all_is_refused_in_words(refused, tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    what, _ = refused(tmp_path / name)
    assert name in what


def test_dropping_what_is_not_there_names_the_nearest_column(refused):
    what, hint = refused(flowers(), drop=("colur",))
    assert "no column colur to drop" in what
    assert hint == "did you mean colour?"


def test_nothing_left_to_learn_from_is_said(refused):
    assert "no column beside kind" in refused(flowers(), drop=("length", "width", "colour"))[0]


@pytest.mark.parametrize(
    ("dataset", "more", "word"),
    [
        ("digits", {"target_column": "x"}, "target_column"),
        ("digits", {"drop_columns": ("x",)}, "drop_columns"),
        ("wine", {"image_size": 8}, "image_size"),
        ("wine", {"target_column": "hue"}, "target_column"),
        ("wine", {"drop_columns": ("hua",)}, "did you mean hue?"),
    ],
)
def test_a_setting_that_says_nothing_about_the_data_is_refused(prepared, dataset, more, word):
    with pytest.raises(UserError) as caught:
        prepared(dataset, **more)
    assert word in str(caught.value)


def test_a_row_that_is_in_train_and_test_is_counted(table, prepared, caplog):
    store = prepared(table(flowers() + flowers()[1:]), target_column="kind")
    train = {row.tobytes() for row in store.splits["train"].inputs}
    assert store.duplicates == sum(row.tobytes() in train for row in store.splits["test"].inputs) > 0
    assert "also in train" in caplog.text
