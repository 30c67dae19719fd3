"""What a file of JSON must hold, written as types, and the check that a value is of such a type."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from image_classifier.errors import UserError

_DEEPEST = 50  # levels; a reader that calls itself for each one ends at some hundreds
_SHOWN = 60  # characters of a wrong value


@dataclass(frozen=True)
class Within:
    """Bounds of a number, both included."""

    low: float
    high: float


@dataclass(frozen=True)
class Written:
    """The regular expression that a whole text matches."""

    pattern: str


Share = Annotated[float, Within(0, 1)]
Number = Annotated[float, Within(-1e300, 1e300)]
Amount = Annotated[float, Within(0, 1e300)]
Count = Annotated[int, Within(0, 2**53)]
OneOrMore = Annotated[int, Within(1, 2**53)]
Digest = Annotated[str, Written("[0-9a-f]{64}")]
FileName = Annotated[str, Written("[A-Za-z0-9_][A-Za-z0-9._-]*")]
Interval = Annotated[list[Share], 2]
Setting = str | int | float | bool | None


def check(value: Any, expected: Any, path: Path, hint: str) -> None:
    """Refuse a value, read from `path`, that is not of the expected type; the hint says what to do about it."""
    wrong = _unwritable(value) or _wrong(value, expected, "")
    if wrong:
        raise UserError(f"{path} is not as it was written: {wrong}", hint)


def _unwritable(value: Any) -> str:
    """Why the value could not be written as JSON again, or nothing."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [each for outer in level for each in _inner(outer)]
        if not level:
            break
    else:
        return f"it is nested more than {_DEEPEST} levels deep"
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:  # NaN, or half of a letter
        return str(error)
    return ""


def _inner(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _wrong(value: Any, expected: Any, where: str) -> str:
    """Where and how the value differs from the expected type, or nothing."""
    kind, parts = get_origin(expected) or expected, get_args(expected)
    if kind is Annotated:
        return _wrong(value, parts[0], where) or _unfit(value, parts[1], where)
    if kind is NotRequired:
        return _wrong(value, parts[0], where)
    if kind in (Union, UnionType):
        found = [_wrong(value, part, where) for part in parts]
        return "" if "" in found else max(found, key=lambda text: text.count("."))  # the deepest tells most
    if is_typeddict(kind):
        return _wrong_fields(value, kind, where)
    if kind in (dict, list) and isinstance(value, kind):
        items = value.items() if isinstance(value, dict) else enumerate(value, 1)
        keys = next((_wrong(key, parts[0], where) for key in value if _wrong(key, parts[0], where)), "")
        found = [_wrong(each, parts[-1], _below(where, str(name))) for name, each in items]
        return (keys if kind is dict else "") or next((each for each in found if each), "")
    return "" if _is(value, kind, parts) else f"{where or 'it'} is {_shown(value)} and not {_named(kind, parts)}"


def _wrong_fields(value: Any, kind: Any, where: str) -> str:
    if not isinstance(value, dict):
        return f"{where or 'it'} is {_shown(value)} and not an object"
    hints = get_type_hints(kind, include_extras=True)
    missing = sorted(kind.__required_keys__ - value.keys())
    if missing:
        return f"{_below(where, missing[0])} is missing"
    found = (_wrong(value[name], hints[name], _below(where, name)) for name in hints if name in value)
    return next((each for each in found if each), "")


def _is(value: Any, kind: Any, parts: tuple[Any, ...]) -> bool:
    if kind is Any:
        return True
    if kind is Literal:
        return any(type(value) is type(each) and value == each for each in parts)
    if kind is NoneType or kind is None:
        return value is None
    if kind is float:
        return type(value) is int or (type(value) is float and math.isfinite(value))
    return type(value) is kind  # a bool is an int elsewhere, and here it is none


def _unfit(value: Any, limit: Any, where: str) -> str:
    if isinstance(limit, Within):
        text = f"a number from {limit.low:g} to {limit.high:g}"
        return "" if limit.low <= value <= limit.high else f"{where} is {_shown(value)} and not {text}"
    if isinstance(limit, Written):
        fits = re.fullmatch(limit.pattern, value)
        return "" if fits else f"{where or 'a name'} is {_shown(value)}, which it cannot be"
    return "" if len(value) == limit else f"{where} has {len(value)} values and not {limit}"


def _below(where: str, name: str) -> str:
    return f"{where}.{name[:_SHOWN]}" if where else name[:_SHOWN]


def _shown(value: Any) -> str:
    kinds: dict[Any, str] = {dict: "an object", list: "a list"}
    text = kinds.get(type(value)) or json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _named(kind: Any, parts: tuple[Any, ...]) -> str:
    if kind is Literal:
        return " or ".join(map(str, parts))
    names: dict[Any, str] = {
        int: "a whole number", float: "a number", str: "a text", bool: "true or false",
        dict: "an object", list: "a list",
    }  # fmt: skip
    return names.get(kind, "null")
