"""Tables: CSV and Parquet files with a row for each example and a column that names its class."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from image_classifier.config import BUILT_IN_DATA, BUILT_IN_TABLES, suggestion
from image_classifier.data.examples import Examples, Labels, Source, checked_class_names, shown
from image_classifier.data.store import holds_a_table, is_store
from image_classifier.data.tables import Table, Values, number
from image_classifier.errors import UserError, one_line

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".csv", ".parquet")
# Tables that people publish and this package may not bring: the file's name, and where to get it.
PUBLISHED = {
    "WineQT.csv": 'Kaggle\'s "Wine Quality Dataset", https://www.kaggle.com/datasets/yasserh/wine-quality-dataset',
}
_LONGEST = 200  # characters of a foreign error
_MOST_CLASSES = 1000
_MOST_CATEGORIES = 100
_SLIPS = 0.1  # if no more of a column's values are no numbers, they are mistakes


def is_table(dataset_folder: str) -> bool:
    """Whether the name is that of a table, as far as can be told without reading it."""
    folder = Path(dataset_folder).expanduser()
    if dataset_folder in BUILT_IN_DATA:
        return dataset_folder in BUILT_IN_TABLES
    if is_store(folder):
        return holds_a_table(folder)
    return folder.suffix.lower() in SUFFIXES and not folder.is_dir()


def table_file(path: Path, target: str | None, drop: tuple[str, ...]) -> Source:
    """A CSV or Parquet file whose column `target` names the class; the columns in `drop` are not read."""
    about = path.stat()
    stats = ((path.name, about.st_size, about.st_mtime_ns, about.st_ctime_ns),)
    return Source(f"table {target} -{','.join(drop)}", stats, draws_test=True, load=lambda: _load(path, target, drop))


def read(path: Path) -> "pa.Table":
    """The file's columns as they are typed in it, or as CSV's text suggests."""
    import pyarrow as pa  # noqa: PLC0415  (0.1 s, which only tables need)
    from pyarrow import csv, parquet  # noqa: PLC0415

    options = csv.ConvertOptions(strings_can_be_null=True, null_values=_NOTHING, quoted_strings_can_be_null=False)
    try:
        if path.suffix.lower() == ".parquet":
            table = parquet.read_table(path, memory_map=False)
        else:
            table = csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError) as error:
        raise UserError(f"{shown(str(path))} is no readable table: {one_line(error, _LONGEST)}", _FORM) from error
    _refuse_shape(table, path)
    return table


_NOTHING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"]
_FORM = "a CSV file has comma-separated columns in UTF-8, with their names in the first line"


def columns(table: "pa.Table", path: Path, names: list[str]) -> Table:
    """The named columns as numbers and categories."""
    return Table({name: _values(table.column(name), name, path) for name in names})


def _load(path: Path, target: str | None, drop: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, Examples]]:
    table = read(path)
    names = list(table.column_names)
    label = _target(target, names, path)
    unknown = [name for name in drop if name not in names]
    if unknown:
        raise UserError(
            f"{path} has no column {', '.join(unknown)} to drop", suggestion(unknown[0], names) or _has(names)
        )
    kept = [name for name in names if name not in (label, *drop)]
    if not kept:
        raise UserError(f"{path} has no column beside {label} to learn from", "drop fewer columns")
    classes, labels = _classes(table.column(label), label, path)
    rows = columns(table, path, kept)
    for name, values in rows.columns.items():
        if values.dtype == object:
            _refuse_text(values.tolist(), name, path)
    return classes, {"train": Examples(labels, rows)}


def _target(target: str | None, names: list[str], path: Path) -> str:
    if target is None:
        raise UserError(f"which column of {path} is the class?", f"name it: --target_column, one of {', '.join(names)}")
    if target not in names:
        raise UserError(f"{path} has no column {target!r}", suggestion(target, names) or _has(names))
    return target


def _has(names: list[str]) -> str:
    return f"it has {', '.join(names)}"


def _refuse_shape(table: "pa.Table", path: Path) -> None:
    names = table.column_names
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise UserError(f"{path} has the column {', '.join(twice)} more than once", "rename or remove it")
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        mark = next(mark for mark in ";\t|" if mark in names[0])
        raise UserError(f"the columns of {path} are separated by {mark!r}", "write it with commas")
    if table.num_rows == 0:
        raise UserError(f"{path} has a header and no rows", "add rows")


def _values(column: Any, name: str, path: Path) -> Values:
    from pyarrow import types  # noqa: PLC0415

    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise UserError(
            f"{name} in {path} has no value in {column.null_count} of {len(column)} rows, first in row {row + 1}",
            f"fill it in, remove these rows, or leave the column out: --drop_columns {name}",
        )
    if types.is_integer(column.type) or types.is_floating(column.type) or types.is_decimal(column.type):
        numbers = np.array(column.to_pylist(), dtype=np.float64)
        if not np.isfinite(numbers).all():
            row = int((~np.isfinite(numbers)).argmax())
            raise UserError(f"{name} in {path} is {numbers[row]} in row {row + 1}", "correct it or remove the row")
        return numbers
    if types.is_boolean(column.type) or types.is_string(column.type) or types.is_large_string(column.type):
        return np.array([str(value) for value in column.to_pylist()], dtype=object)
    raise UserError(f"{name} in {path} has the type {column.type}", f"write numbers, or --drop_columns {name}")


def _refuse_text(texts: list[str], name: str, path: Path) -> None:
    """Refuse what is no category: numbers with a slip of the pen among them, and names that hardly recur."""
    odd = [text for text in texts if number(text) is None]
    if odd and len(odd) <= _SLIPS * len(texts):
        raise UserError(
            f"{name} in {path} holds numbers, but also {odd[0]!r}",
            f"correct it, or leave the column out: --drop_columns {name}",
        )
    count = len(set(texts))
    if count > min(_MOST_CATEGORIES, len(texts) - 1):
        raise UserError(
            f"{name} in {path} has {count} different texts: too many to be categories",
            f"leave it out: --drop_columns {name}",
        )


def _classes(column: Any, name: str, path: Path) -> tuple[tuple[str, ...], Labels]:
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise UserError(f"{name} in {path} has no value in row {row + 1}", "name its class, or remove the row")
    values = column.to_pylist()
    distinct = sorted(set(values))
    if len(distinct) < 2:
        raise UserError(f"{name} in {path} names one class only: {distinct[0]}", "two or more are needed")
    fractions = any(isinstance(value, float) and not value.is_integer() for value in distinct)
    if fractions or len(distinct) > min(_MOST_CLASSES, len(values) // 2):
        raise UserError(
            f"{name} in {path} has {len(distinct)} different values in {len(values)} rows: a number, not a class",
            "classes are few and named again and again; make ranges of it, or name another --target_column",
        )
    number = {value: index for index, value in enumerate(distinct)}
    names = [str(int(value)) if isinstance(value, float) else str(value) for value in distinct]
    return checked_class_names(names, str(path)), np.array([number[value] for value in values], dtype=np.int64)
