"""One column of a table as Arrow reads it: numbers, texts or classes, or a refusal that names the place."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from image_classifier.data.examples import Labels, checked_class_names
from image_classifier.data.tables import LARGEST, Values, number
from image_classifier.errors import UserError

# Arrow is imported where it is used: 0.1 s, which only tables need.

_MOST_CLASSES = 1000
_MOST_CATEGORIES = 100
_SLIPS = 0.1  # if no more of a column's values are no numbers, they are mistakes
_EXACT = 2**53  # beyond it, floating-point numbers are whole because they have no digits left
_LONGEST = 60  # characters of a value that are shown
_ROWS = 20  # numbers of rows that are shown


def values(column: Any, name: str, path: Path) -> Values:
    """The column as numbers or as texts."""
    from pyarrow import types  # noqa: PLC0415

    column = _decoded(column)
    _refuse_bytes(column, name, path)
    texts = types.is_boolean(column.type) or _is_text(column.type)
    if not (texts or _is_number(column.type) or types.is_null(column.type)):
        raise UserError(
            f"{name} in {path} has the type {column.type}", f"write numbers or texts, or --drop_columns {name}"
        )
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise UserError(
            f"{name} in {path} has no value in {column.null_count} of {len(column)} rows, first in row {row + 1}",
            f"fill it in, remove these rows, or leave the column out: --drop_columns {name}",
        )
    if texts:
        return np.array([str(value) for value in column.to_pylist()], dtype=object)
    return _numbers(column, name, path)


def classes(column: Any, name: str, path: Path) -> tuple[tuple[str, ...], Labels]:
    """The names of the classes in their order, and each row's class."""
    given = _class_values(_decoded(column), name, path)
    distinct = sorted(set(given))
    if len(distinct) < 2:
        raise UserError(f"{name} in {path} names one class only: {distinct[0]}", "two or more are needed")
    fractions = not all(_is_whole(value) for value in distinct if isinstance(value, float | Decimal))
    if fractions or len(distinct) > min(_MOST_CLASSES, len(given) // 2):
        raise UserError(
            f"{name} in {path} has {len(distinct)} different values in {len(given)} rows: a number, not a class",
            "classes are few and named again and again; make ranges of it, or name another --target_column",
        )
    place = {value: index for index, value in enumerate(distinct)}
    names = [str(int(value)) if isinstance(value, float | Decimal) else str(value) for value in distinct]
    return checked_class_names(names, str(path)), np.array([place[value] for value in given], dtype=np.int64)


def words(column: Any, name: str, path: Path) -> list[str]:
    """What names something in each row, such as a file or a group; none may be missing."""
    column = _decoded(column)
    missing = [row for row, nothing in enumerate(column.is_null(nan_is_null=True).to_pylist(), 1) if nothing]
    found = [] if missing else _class_values(column, name, path)
    missing += [row for row, value in enumerate(found, 1) if isinstance(value, str) and not value.strip()]
    if missing:
        raise UserError(f"{name} in {path} has no value in row {in_words(missing)}", "fill it in, or remove the row")
    return [_word(value) for value in found]


def in_words(rows: list[int]) -> str:
    """The numbers of the first of these rows, and how many more there are."""
    more = f" and {len(rows) - _ROWS} more" if len(rows) > _ROWS else ""
    return ", ".join(map(str, rows[:_ROWS])) + more


def _word(value: Any) -> str:
    return str(int(value)) if isinstance(value, float | Decimal) and _is_whole(value) else str(value)


def refuse_text(texts: list[str], name: str, path: Path) -> None:
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


def _decoded(column: Any) -> Any:
    """The column without a dictionary: what it stands for is the value."""
    from pyarrow import types  # noqa: PLC0415

    return column.cast(column.type.value_type) if types.is_dictionary(column.type) else column


def _is_number(kind: Any) -> bool:
    from pyarrow import types  # noqa: PLC0415

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _is_text(kind: Any) -> bool:
    from pyarrow import types  # noqa: PLC0415

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _refuse_bytes(column: Any, name: str, path: Path) -> None:
    """Refuse bytes that are no text; CSV's texts come as bytes if one of them is not in UTF-8."""
    from pyarrow import ArrowInvalid, binary, types  # noqa: PLC0415

    kinds = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view, _is_text)
    if not any(kind(column.type) for kind in kinds):
        return
    if _is_text(column.type):
        try:
            column.validate(full=True)
        except ArrowInvalid:
            pass  # found and named below
        else:
            return
    for row, value in enumerate(column.cast(binary()).to_pylist(), 1):
        try:
            (value or b"").decode()
        except UnicodeDecodeError:
            text = value.decode("utf-8", "backslashreplace")[:_LONGEST]
            raise UserError(f"{name} in {path} is not UTF-8 text in row {row}: '{text}'", as_utf8(path)) from None


def as_utf8(path: Path) -> str:
    """How a table gets texts that can be read."""
    if path.suffix.lower() == ".csv":
        return f"write it as UTF-8; if it is Latin-1: iconv -f LATIN1 -t UTF-8 {path.name} > utf8.csv"
    return "write its texts as UTF-8"


def _numbers(column: Any, name: str, path: Path) -> Values:
    numbers = np.array(column.to_pylist(), dtype=np.float64)
    good = np.isfinite(numbers) & (np.abs(numbers) <= LARGEST)
    if not good.all():
        row = int((~good).argmax())
        beyond = f", beyond {LARGEST:.2g}, the largest 32-bit number," if np.isfinite(numbers[row]) else ""
        raise UserError(
            f"{name} in {path} is {numbers[row]}{beyond} in row {row + 1}",
            f"correct it, remove the row, write the column in another unit, or leave it out: --drop_columns {name}",
        )
    return numbers


def _class_values(column: Any, name: str, path: Path) -> list[Any]:
    """The class of each row as Python's values, which can be told apart and sorted."""
    from pyarrow import ArrowException, types  # noqa: PLC0415

    _refuse_bytes(column, name, path)
    known = (types.is_null, types.is_boolean, types.is_date, types.is_time, types.is_timestamp, _is_number, _is_text)
    unusable = UserError(
        f"{name} in {path} has the type {column.type}, which names no class",
        "a class is a text, a whole number or a boolean: write it so, or name another --target_column",
    )
    if not any(kind(column.type) for kind in known):
        raise unusable
    nothing = column.is_null(nan_is_null=True).to_pylist()
    if any(nothing):
        raise UserError(
            f"{name} in {path} has no value in row {nothing.index(True) + 1}", "name its class, or remove the row"
        )
    try:
        listed: list[Any] = column.to_pylist()
    except (ArrowException, ValueError, OverflowError) as error:  # dates that Python has not, zones that are not there
        raise unusable from error
    # Half-precision numbers come as numpy's.
    return [float(value) for value in listed] if types.is_floating(column.type) else listed


def _is_whole(value: float | Decimal) -> bool:
    if isinstance(value, Decimal):
        return value == value.to_integral_value()
    return value.is_integer() and abs(value) <= _EXACT
