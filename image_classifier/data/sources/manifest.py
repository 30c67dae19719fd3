"""Manifests: a CSV or Parquet file with a row for each image, which names its file and its class."""

import csv
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from image_classifier.data.examples import Examples, ImageFile, Source, Stat, checked_class_names, shown
from image_classifier.data.pointers import kept_elsewhere, pointer
from image_classifier.data.sources.columns import in_words, words
from image_classifier.data.sources.named_objects import NamedObjects, Object
from image_classifier.data.sources.spelling import respelled
from image_classifier.data.sources.split_names import SPLITS, of_rows
from image_classifier.data.sources.table import SUFFIXES, as_text, groups_of, header, read
from image_classifier.data.tables import number
from image_classifier.errors import UserError, suggestion
from image_classifier.masking import masked
from image_classifier.settings.addresses import is_address

IMAGE, LABEL, SPLIT = "image", "label", "split"
# Less is "no value" than in a table: a class may be called None, NA or ?.
_NOTHING = ("", "nan", "NaN", "null", "NULL")


class Row(NamedTuple):
    """What one row says; `path` is relative to the manifest."""

    number: int
    path: str
    label: str
    split: str
    group: str | None


class Found(NamedTuple):
    """A row and the file it names, as the file system or the bucket has it."""

    row: Row
    file: ImageFile
    stat: Stat


def is_manifest(path: Path) -> bool:
    """Whether this is a CSV or Parquet file with a column `image`."""
    return path.is_file() and path.suffix.lower() in SUFFIXES and IMAGE in header(path)


def manifest_source(path: Path, target: str | None, group: str | None, objects: NamedObjects | None = None) -> Source:
    """The images that the manifest names, looked for but not yet decoded; their order there does not matter.

    `objects` are those in buckets, which are pulled when the images are loaded.
    """
    about = path.stat()  # before it is read: a later change is seen
    found = _files(_rows(path, target or LABEL, group), path, objects)
    classes = _classes([each.row for each in found], target or LABEL, path)
    place = {name: position for position, name in enumerate(classes)}
    found.sort(key=lambda each: (place[_composed(each.row.label)], _order(each.row.path)))
    examples = {split: _examples([each for each in found if each.row.split == split], place) for split in SPLITS}
    examples = {split: part for split, part in examples.items() if len(part.labels)}
    stats = [each.stat for each in found]
    stats.append((path.name, about.st_size, about.st_mtime_ns, about.st_ctime_ns))
    kind = f"manifest {target or LABEL}" + (f" by {group}" if group else "")

    def load() -> tuple[tuple[str, ...], dict[str, Examples]]:
        if objects is not None:
            objects.pull()
        return classes, examples

    return Source(kind, tuple(stats), draws_test="test" not in examples, load=load, root=str(path.parent))


def image_names(stream: BinaryIO, suffix: str) -> Iterator[str]:
    """What the rows name, one after the other; whether it is there is not looked at."""
    if suffix.lower() == ".csv":
        with as_text(stream) as text:
            yield from (row[IMAGE] or "" for row in csv.DictReader(text))
        return
    from pyarrow import parquet  # noqa: PLC0415  (0.1 s, which only tables need)

    for batch in parquet.ParquetFile(stream).iter_batches(columns=[IMAGE]):
        yield from map(str, batch.column(IMAGE).to_pylist())


def _rows(path: Path, label: str, group: str | None) -> list[Row]:
    """What the manifest says, with a split for each row: train where it has no such column."""
    table = read(path, [IMAGE, label, SPLIT, *([group] if group else [])], _NOTHING)
    names = table.column_names
    if label not in names:
        near = suggestion(label, names) or f"it has {', '.join(names)}"
        raise UserError(f"{path} has no column {label!r}", f"{near}; --target_column names the one with the class")
    if label in (IMAGE, SPLIT) or group in (IMAGE, SPLIT):
        raise UserError(f"{IMAGE} and {SPLIT} of {path} name neither class nor group", "name other columns")
    _refuse_contents(table.column(IMAGE).type, path)
    images = words(table.column(IMAGE), IMAGE, path)
    labels = words(table.column(label), label, path)
    splits = ["train"] * len(images)
    if SPLIT in names:
        splits = of_rows(words(table.column(SPLIT), SPLIT, path), SPLIT, path)
    groups: Sequence[str | None] = groups_of(table, group, label, path) if group else [None] * len(images)
    numbers = range(1, len(images) + 1)
    return [Row(*row) for row in zip(numbers, map(_normal, images), labels, splits, groups, strict=True)]


def _refuse_contents(kind: Any, path: Path) -> None:
    if any(word in str(kind) for word in ("binary", "struct", "list")):
        raise UserError(
            f"{IMAGE} in {path} has the type {kind}: images themselves, and not the paths of files",
            "write them to files and name these, or select them from a database (docs/data.md)",
        )


def _normal(path: str) -> str:
    return path if is_address(path) else os.path.normpath(path)


def _files(rows: list[Row], path: Path, objects: NamedObjects | None) -> list[Found]:
    """The rows' files; whatever is wrong with any of them is told in one error."""
    folder = str(path.parent)
    addresses = {} if objects is None else _addresses(rows, objects)
    there = objects.looked_up(addresses.values()) if objects is not None and addresses else {}
    first: dict[str, Row] = {}
    found, faults = [], []
    for row in rows:
        address = addresses.get(row.path)
        earlier = first.setdefault(address or row.path, row)
        result = _repeated(row, earlier) or (
            _looked_up(row, folder) if address is None else _in_bucket(row, there[address])
        )
        if isinstance(result, Found):
            found.append(result)
        else:
            faults.append(f"\n  {_called(row)}: {result}")
    if faults:
        raise UserError(
            f"{len(faults)} of {len(rows)} rows of {path} cannot be used:{''.join(faults)}",
            f"paths are relative to the manifest's folder, {shown(folder)}: correct these rows or remove them",
        )
    return found


def _addresses(rows: list[Row], objects: NamedObjects) -> dict[str, str]:
    """Where the images are that are no files on this disk; paths that lead elsewhere are refused as such."""
    given = {row.path: objects.address(row.path) for row in rows if is_address(row.path) or not _leads_out(row.path)}
    return {path: address for path, address in given.items() if address is not None}


def _called(row: Row) -> str:
    return f"row {row.number}, {masked(shown(row.path), whole=True)}"


def _repeated(row: Row, earlier: Row) -> str | None:
    if row is earlier:
        return None
    differing = [f"another {name}" for name in (LABEL, SPLIT, "group") if getattr(row, name) != getattr(earlier, name)]
    return f"named in row {earlier.number} already" + (f", with {' and '.join(differing)}" if differing else "")


def _looked_up(row: Row, folder: str) -> Found | str:
    """A row's file as the file system has it, or what is wrong with its path."""
    wrong = _leads_out(row.path)
    if wrong:
        return wrong
    file = f"{folder}/{row.path}"  # plain text: there may be a million
    try:
        status = os.stat(file)  # noqa: PTH116
    except (OSError, ValueError) as error:  # the latter for a path that no system takes
        known = kept_elsewhere(file, folder) or respelled(row.path, folder)
        return known or getattr(error, "strerror", None) or str(error)
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    times = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return pointer(file, status.st_size) or Found(
        row, ImageFile(file, status.st_size, _called(row)), (row.path, *times)
    )


def _leads_out(path: str) -> str | None:
    if path.startswith("/"):
        return "an absolute path, which no other machine has"
    if path == ".." or path.startswith("../"):
        return "outside of the manifest's folder: put the manifest above its images"
    return None


def _in_bucket(row: Row, answer: Object | str) -> Found | str:
    """A row's object, known by its version and not by times, or what is wrong with it."""
    if isinstance(answer, str):
        return answer
    size, version = answer.found.size, answer.found.version
    return Found(row, ImageFile(answer.copy, size, _called(row)), (f"{row.path} {version}", size, 0, 0))


def _classes(rows: list[Row], label: str, path: Path) -> tuple[str, ...]:
    """The classes of the training rows, in the order of their folders if they had any."""
    train = {row.label for row in rows if row.split == "train"}
    unknown = [row for row in rows if row.label not in train]
    if unknown:
        names = ", ".join(shown(name) for name in sorted({row.label for row in unknown})[:8])
        raise UserError(
            f"{label} in {path} is {names} in row {in_words([row.number for row in unknown])}, and in no row of train",
            "a class needs examples to learn from: correct these rows or remove them",
        )
    _refuse_two_spellings(train, label, path)
    if len(train) < 2:
        raise UserError(f"{label} in {path} names one class only: {shown(*train)}", "two or more are needed")
    if 2 * len(train) > len(rows) and all(number(name) is not None for name in train):
        raise UserError(
            f"{label} in {path} has {len(train)} different values in {len(rows)} rows: a number, not a class",
            "classes are few and named again and again; make ranges of it, or name another --target_column",
        )
    return checked_class_names(sorted(train, key=_composed), f"{label} of {path}")


def _refuse_two_spellings(names: set[str], label: str, path: Path) -> None:
    """Refuse `1` beside `1.0`, and names that differ in blanks around them only: one class would become two."""
    seen: dict[str | float, str] = {}
    for name in sorted(names):
        value = number(name)
        other = seen.setdefault(name.strip() if value is None else value, name)
        if other != name:
            raise UserError(
                f"{label} in {path} spells one class in two ways: {other!r} and {name!r}", "spell it in one way"
            )


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _order(path: str) -> tuple[tuple[bool, str], ...]:
    """What sorts paths as a folder of images lists them: in each folder its files, then its folders."""
    *folders, file = path.split("/")
    return (*((True, _composed(name)) for name in folders), (False, _composed(file)))


def _examples(found: list[Found], place: dict[str, int]) -> Examples:
    groups = tuple(each.row.group for each in found if each.row.group is not None)
    return Examples(
        np.array([place[_composed(each.row.label)] for each in found], dtype=np.int64),
        [each.file for each in found],
        tuple(shown(each.row.path) for each in found),
        groups or None,
    )
