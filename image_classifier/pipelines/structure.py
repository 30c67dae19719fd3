"""What lies where in each area and what it must look like, as data/structure/*.yaml says; every output is checked."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from image_classifier.errors import UserError, one_line

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = Path(__file__).parent / "data" / "structure"
OF_THE_USE_CASE = "use case"
_OR_NOTHING = " or nothing"
_HINT = "image_classifier/pipelines/data/structure says what it must look like"


class Kind(NamedTuple):
    """A kind of output: the area and the place that it has in it, and its files with what each must hold."""

    area: str
    place: str
    files: Mapping[str, Mapping[str, Any]]

    def names(self, **values: str) -> list[str]:
        """The names of its place in the area."""
        return [part.format(**values) for part in self.place.split("/")]


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind of output by its name."""
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        for name, about in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            found[name] = Kind(path.stem, about["place"], about["files"])
    return found


def check(folder: Path, kind: str, columns: Mapping[str, str] | None = None) -> None:
    """Refuse a folder that is not what the structure says; `columns` are the use case's."""
    for name, about in kinds()[kind].files.items():
        path = folder / name
        if not path.is_file():
            raise UserError(f"{kind} has no {name}", _HINT)
        if not path.stat().st_size:
            raise UserError(f"{name} of {kind} is empty", _HINT)
        if "keys" in about:
            _check_keys(path, about["keys"])
        if "columns" in about:
            asked = columns or {} if about["columns"] == OF_THE_USE_CASE else about["columns"]
            check_columns(path, asked, others=about.get("others", False))


def check_names(names: Iterable[str], kind: str) -> None:
    """Refuse stored files among which one of the structure's is missing; what is in them was checked before."""
    missing = sorted(kinds()[kind].files.keys() - set(names))
    if missing:
        raise UserError(f"{kind} has no {missing[0]}", _HINT)


def check_columns(path: Path, asked: Mapping[str, str], *, others: bool) -> None:
    """Refuse a table that lacks a column, has another type in one, or, unless `others`, has more of them."""
    if path.suffix == ".parquet":
        from pyarrow import parquet  # noqa: PLC0415  (0.1 s, which only tables need)

        check_schema(parquet.read_schema(path), path.name, asked, others=others)
        return
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        _check_names(list(rows.fieldnames or ()), path.name, asked, others=others)
        for number, row in enumerate(rows, 2):
            for name, expected in asked.items():
                if not _reads_as(row[name], expected):
                    found = f"line {number} of {path.name}: {name} must be {_said(expected)}, not {row[name]!r}"
                    raise UserError(found, _HINT)


def check_schema(schema: "pa.Schema", where: str, asked: Mapping[str, str], *, others: bool) -> None:
    """Refuse the types of a table's columns that are not those asked for."""
    from pyarrow import types  # noqa: PLC0415  (0.1 s, which only tables need)

    def is_number(kind: "pa.DataType") -> bool:
        return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))

    fits: dict[str, Callable[[pa.DataType], bool]] = {
        "number": is_number,
        "text": lambda kind: bool(types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind)),
        "class": lambda kind: not (types.is_floating(kind) or types.is_nested(kind) or types.is_binary(kind)),
    }
    _check_names(schema.names, where, asked, others=others)
    for name, expected in asked.items():
        found = schema.field(name).type
        if not fits[expected](found):
            raise UserError(f"column {name!r} of {where} must be {_said(expected)}, but is {found}", _HINT)


def _check_names(found: Iterable[str], where: str, asked: Mapping[str, str], *, others: bool) -> None:
    found = list(found)
    for name in asked:
        if name not in found:
            raise UserError(f"{where} has no column {name!r}; it has {', '.join(map(repr, found)) or 'none'}", _HINT)
    more = [name for name in found if name not in asked]
    if more and not others:
        raise UserError(f"{where} has the column {more[0]!r}, which is not asked for", _HINT)


def _check_keys(path: Path, asked: Mapping[str, str]) -> None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path.name} is not valid JSON: {one_line(error)}", _HINT) from error
    if not isinstance(value, dict):
        raise UserError(f"{path.name} holds no mapping but a {type(value).__name__}", _HINT)
    for name, expected in asked.items():
        if name not in value:
            raise UserError(f"{path.name} has no {name!r}; it has {', '.join(map(repr, value))}", _HINT)
        if not _is(value[name], expected):
            raise UserError(f"{name} in {path.name} must be {_said(expected)}, not {value[name]!r}", _HINT)


_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,), "integer": (int,), "number": (int, float), "list": (list,), "mapping": (dict,),
}  # fmt: skip


def _is(value: object, expected: str) -> bool:
    """Whether a value of JSON is of the type."""
    if value is None:
        return expected.endswith(_OR_NOTHING)
    return isinstance(value, _TYPES[expected.removesuffix(_OR_NOTHING)]) and not isinstance(value, bool)


def _reads_as(cell: str | None, expected: str) -> bool:
    """Whether a cell's text can be read as the type."""
    if cell is None:  # the line is shorter than the first one
        return False
    if not cell:
        return expected == "text" or expected.endswith(_OR_NOTHING)
    reader = {"integer": int, "number": float}.get(expected.removesuffix(_OR_NOTHING), str)
    try:
        reader(cell)
    except ValueError:
        return False
    return True


def _said(expected: str) -> str:
    return {"class": "whole numbers, texts or true and false"}.get(
        expected, f"a{'n' if expected[0] in 'aeiou' else ''} {expected}"
    )
