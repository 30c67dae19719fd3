"""Tables: a CSV or Parquet file, or a folder of Parquet parts, with a row for each example and a column of classes."""

import contextlib
import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from image_classifier import files
from image_classifier.data.examples import Examples, Labels, Source, shown
from image_classifier.data.pointers import refuse_pointer
from image_classifier.data.sources.columns import as_utf8, classes, refuse_text, values, words
from image_classifier.data.sources.folder import ignored
from image_classifier.data.tables import Table
from image_classifier.errors import UserError, one_line, suggestion

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".csv", ".parquet")
# Tables that people publish and this package may not bring: the file's name, and where to get it.
PUBLISHED = {
    "WineQT.csv": 'Kaggle\'s "Wine Quality Dataset", https://www.kaggle.com/datasets/yasserh/wine-quality-dataset',
}
_LONGEST = 200  # characters of a foreign error
_LONGEST_HEADER = 1 << 20
NOTHING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")


def is_table(path: Path) -> bool:
    """Whether a file's name says so, or a folder holds Parquet files as Spark and others write one table."""
    if path.is_file():
        return path.suffix.lower() in SUFFIXES
    return path.is_dir() and bool(_parts(path))


def table_source(path: Path, target: str | None, group: str | None, drop: tuple[str, ...]) -> Source:
    """A table whose column `target` names the class and `group` the group; the columns in `drop` are not read."""
    stats = tuple((each.name, about.st_size, about.st_mtime_ns, about.st_ctime_ns) for each, about in _files(path))
    kind = f"table {target} -{','.join(drop)}" + (f" by {group}" if group else "")
    root = str(path if path.is_dir() else path.parent)
    return Source(kind, stats, draws_test=True, load=lambda: _load(path, target, group, drop), root=root)


def header(path: Path) -> list[str]:
    """The names of a file's columns; none if they cannot be read, which is said when all of it is."""
    try:
        with path.open("rb") as stream:
            return header_of(stream, path.suffix)
    except OSError:
        return []


def header_of(stream: BinaryIO, suffix: str) -> list[str]:
    """The same of a file that is open."""
    try:
        if suffix.lower() == ".csv":
            with as_text(stream) as text:
                return next(csv.reader([text.readline(_LONGEST_HEADER)]), [])
        from pyarrow import parquet  # noqa: PLC0415  (0.1 s, which only tables need)

        return list(parquet.read_schema(stream).names)
    except (OSError, ValueError, csv.Error):  # Arrow's own errors are of these kinds
        return []


@contextlib.contextmanager
def as_text(stream: BinaryIO) -> Iterator[TextIO]:
    """A CSV file that is open, as the texts in it; it stays open."""
    text = io.TextIOWrapper(stream, "utf-8-sig", "replace", newline="")
    try:
        yield text
    finally:
        if not stream.closed:  # whoever wants no more rows may have closed it
            text.detach()


def read(path: Path, text: Sequence[str] = (), nothing: Sequence[str] = NOTHING) -> "pa.Table":
    """The table's columns as they are typed in it, or as CSV's text suggests, but for those that are `text`."""
    import pyarrow as pa  # noqa: PLC0415  (0.1 s, which only tables need)
    from pyarrow import csv as arrow_csv  # noqa: PLC0415

    refuse_pointer(path)
    options = arrow_csv.ConvertOptions(
        strings_can_be_null=True, null_values=list(nothing), quoted_strings_can_be_null=False,
        # Text that is not UTF-8 is refused with its row where the column is read.
        column_types=dict.fromkeys(text, pa.string()), check_utf8=not text,
    )  # fmt: skip
    try:
        if path.suffix.lower() == ".csv" and not path.is_dir():
            table = arrow_csv.read_csv(path, convert_options=options)
        else:
            table = _read_parquet(path)
    except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError) as error:
        raise UserError(f"{shown(str(path))} is no readable table: {one_line(error, _LONGEST)}", _FORM) from error
    _refuse_shape(table, path)
    return table


def _parts(folder: Path) -> list[Path]:
    """The Parquet files of a folder without sub-folders, by name; none if it holds something else altogether."""
    entries = sorted(files.readable(folder).iterdir())
    visible = [each for each in entries if not (ignored(each.name) or each.name.startswith("_"))]
    parts = [each for each in visible if each.suffix.lower() == ".parquet" and each.is_file()]
    if not visible and folder / "_SUCCESS" in entries:
        raise UserError(f"{folder} is a table without rows: Spark's _SUCCESS and no files", "choose data with rows")
    if not parts or any(each.is_dir() for each in visible):
        return []  # Parquet files beside class folders are not used, as other files there
    if folder / "_temporary" in entries:
        raise UserError(f"{folder} is written at this moment, or its writer was killed", "wait for it, or write again")
    others = [shown(each.name) for each in visible if each not in parts]
    if others:
        raise UserError(
            f"{folder} holds {len(parts)} Parquet files and something else: {', '.join(others[:8])}",
            "a folder is one table if it holds nothing but its Parquet files: put the others elsewhere",
        )
    return parts


def _files(path: Path) -> list[tuple[Path, os.stat_result]]:
    return [(each, each.stat()) for each in (_parts(path) if path.is_dir() else [path])]


def _read_parquet(path: Path) -> "pa.Table":
    """One file, or a folder's parts below each other; they must have the same columns."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    tables = {each.name: parquet.read_table(each, memory_map=False) for each, _ in _files(path)}
    (first, columns), *others = [
        (name, [(column.name, column.type) for column in table.schema]) for name, table in tables.items()
    ]
    different = next((name for name, columns_there in others if columns_there != columns), None)
    if different:
        raise UserError(f"{first} and {different} in {path} have different columns", "keep the files of one table only")
    return pa.concat_tables(tables.values(), promote_options="default")


_FORM = "a CSV file has comma-separated columns in UTF-8, with their names in the first line"


def columns(table: "pa.Table", path: Path, names: list[str]) -> Table:
    """The named columns as numbers and categories."""
    return Table({name: values(table.column(name), name, path) for name in names})


def _load(
    path: Path, target: str | None, group: str | None, drop: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, Examples]]:
    if group is None:
        names, labels, rows = labelled(read(path), path, target, drop)
        return names, {"train": Examples(labels, rows)}
    table = read(path, (group,))
    groups = groups_of(table, group, target, path)
    names, labels, rows = labelled(table, path, target, (*drop, group))
    return names, {"train": Examples(labels, rows, groups=groups)}


def labelled(
    table: "pa.Table", path: Path, target: str | None, drop: tuple[str, ...]
) -> tuple[tuple[str, ...], Labels, Table]:
    """The classes' names, each row's class, and the columns to learn from."""
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
    names_of_classes, labels = classes(table.column(label), label, path)
    rows = columns(table, path, kept)
    for name, cells in rows.columns.items():
        if cells.dtype == object:
            refuse_text(cells.tolist(), name, path)
    return names_of_classes, labels, rows


def groups_of(table: "pa.Table", group: str, target: str | None, path: Path) -> tuple[str, ...]:
    """What the column `group` names, for each row."""
    names = table.column_names
    if group not in names:
        raise UserError(f"{path} has no column {group!r} to group by", suggestion(group, names) or _has(names))
    if group == target:
        raise UserError(f"{group} is both the class and the group of {path}", "name another --group_column")
    groups = tuple(words(table.column(group), group, path))
    if len(set(groups)) < 2:
        raise UserError(f"{group} in {path} names one group only: {groups[0]}", "leave --group_column out")
    return groups


def _target(target: str | None, names: list[str], path: Path) -> str:
    if target is None:
        raise UserError(f"which column of {path} is the class?", f"name it: --target_column, one of {', '.join(names)}")
    if target not in names:
        raise UserError(f"{path} has no column {target!r}", suggestion(target, names) or _has(names))
    return target


def _has(names: list[str]) -> str:
    return f"it has {', '.join(names)}"


def _place(path: Path) -> str:
    """Where the first byte lies that is not UTF-8."""
    if path.is_dir():
        return ""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                before = line[: error.start].decode()
                return f": line {number}, byte {error.start + 1} ({line[error.start]:#04x}, after '{before[-20:]}')"
    return ""


def _refuse_shape(table: "pa.Table", path: Path) -> None:
    try:
        names = table.column_names
    except UnicodeDecodeError:
        raise UserError(f"the names of the columns in {path} are not UTF-8 text{_place(path)}", as_utf8(path)) from None
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise UserError(f"{path} has the column {', '.join(twice)} more than once", "rename or remove it")
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        mark = next(mark for mark in ";\t|" if mark in names[0])
        raise UserError(f"the columns of {path} are separated by {mark!r}", "write it with commas")
    if table.num_rows == 0:
        raise UserError(f"{path} has a header and no rows", "add rows")
