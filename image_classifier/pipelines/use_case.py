"""A use case: what its data is, where it is extracted from, and the settings of its trainings, in one file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from image_classifier.errors import UserError, suggestion
from image_classifier.pipelines.parameters import chosen
from image_classifier.settings.composition import compose, parse
from image_classifier.settings.config import FIELDS
from image_classifier.settings.layers import Kind, Origin, checked_layer

FOLDER = Path(__file__).parent / "config"
TABLE, IMAGES = "table", "images"
# Flags of the extraction, of which scopes, columns and output are the pipeline's to give.
_EXTRACTION = (
    "source", "table", "scope_column", "partition_column", "num_partitions", "fetch_size", "user", "db_pass_secret",
    "jars",
)  # fmt: skip
_OWN = ("data", "numbers", "categories", *_EXTRACTION)
_SUPPLIED = ("dataset_folder",)


@dataclass(frozen=True)
class UseCase:
    """One use case, checked."""

    name: str
    data: str
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    extraction: Mapping[str, str]
    settings: Mapping[str, Any]

    @property
    def is_table(self) -> bool:
        """Whether the data are rows of a table, and no images."""
        return self.data == TABLE

    @property
    def target(self) -> str:
        """The column that names the class; only a table has one."""
        return str(self.settings["target_column"])

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are used, with their types: those to learn from, then the class."""
        named = dict.fromkeys(self.numbers, "number") | dict.fromkeys(self.categories, "text")
        return named | {self.target: "class"}

    def settings_file(self) -> str:
        """The text of a file for --config."""
        return str(yaml.safe_dump(dict(self.settings)))


def names() -> tuple[str, ...]:
    """The use cases that there are."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def read(name: str) -> UseCase:
    """The use case of this name."""
    if name not in names():
        hint = suggestion(name, names()) or f"there are: {', '.join(names())}"
        raise UserError(f"there is no use case {name!r}", hint)
    return understood(name, (FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def understood(name: str, text: str) -> UseCase:
    """The use case that a text describes; every key and value is checked."""
    where = f"use case {name}"
    values = parse(text, where, lists=True)
    for key in values:
        if key not in _OWN and (key not in FIELDS or key in _SUPPLIED):
            hint = suggestion(key, [*_OWN, *FIELDS]) or f"known: {', '.join(_OWN)}, and the settings of a training"
            raise UserError(f"{key} in {where} is not known", hint)
    data = chosen(str(values.get("data", "")), (TABLE, IMAGES), f"data of {where}")
    use_case = UseCase(
        name,
        data,
        _listed(values, "numbers", where),
        _listed(values, "categories", where),
        {key: str(values[key]) for key in _EXTRACTION if key in values},
        {key: value for key, value in values.items() if key not in _OWN},
    )
    _check(use_case, where)
    return use_case


def _listed(values: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """A list of columns."""
    found = values.get(key) or []
    if not isinstance(found, list) or not all(isinstance(each, str) and each.strip() for each in found):
        raise UserError(f"{key} in {where} is no list of columns", f"{key}: [first column, second column]")
    return tuple(found)


def _check(use_case: UseCase, where: str) -> None:
    settings, columns = use_case.settings, use_case.numbers + use_case.categories
    if "model" not in settings:
        raise UserError(f"{where} names no model", "model: random_forest")
    compose([checked_layer(Origin(Kind.FILE, where), settings)])
    if use_case.is_table:
        _check_table(use_case, columns, where)
    elif columns or "target_column" in settings:
        raise UserError(f"{where} has columns, but its data are images", "leave out numbers, categories, target_column")
    extraction = use_case.extraction
    if extraction and not {"source", "scope_column"} <= extraction.keys():
        missing = ", ".join(sorted({"source", "scope_column"} - extraction.keys()))
        raise UserError(f"{where} says how to extract, but not {missing}", "add it, or leave out all of the extraction")


def _check_table(use_case: UseCase, columns: tuple[str, ...], where: str) -> None:
    if not columns:
        raise UserError(f"{where} names no column to learn from", "numbers: […] and categories: […]")
    if "target_column" not in use_case.settings:
        raise UserError(f"{where} does not say which column is the class", "target_column: quality")
    every = (*columns, use_case.target)
    twice = sorted({column for column in every if every.count(column) > 1})
    if twice:
        raise UserError(f"{where} names the column {', '.join(twice)} more than once", "name each column once")
    if "group_column" in use_case.settings:
        raise UserError(
            f"{where} groups its rows", "only the columns in numbers and categories are handed on: leave it out"
        )
    if "drop_columns" in use_case.settings:
        raise UserError(f"{where} drops columns", "only those in numbers and categories are read: leave it out")
