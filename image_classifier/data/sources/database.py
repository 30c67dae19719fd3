"""A query's rows as examples: images by their bytes, or the rows of a table. The columns' names say what they are.

Images are copied into one file, a few at a time: what decodes a folder decodes them from there, and memory holds a
row's key and class, never all images.
"""

import hashlib
import itertools
import logging
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from image_classifier import files
from image_classifier.data.examples import ColumnNames, Examples, ImageFile, Source, Stat, shown
from image_classifier.data.pixels import content_size
from image_classifier.data.progress import Progress
from image_classifier.data.sources.query_identity import read_if_new
from image_classifier.data.sources.querying import Row, read
from image_classifier.data.sources.records import Records
from image_classifier.data.sources.table import labelled
from image_classifier.data.store import Store
from image_classifier.errors import UserError, one_line, suggestion
from image_classifier.settings.database import Access, Connection, described
from image_classifier.settings.names import DATABASE

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE = "image"
_DIGEST_BYTES = hashlib.sha256().digest_size
_LOOKED_AT = 1000  # rows, to tell what the images are
_logger = logging.getLogger(__name__)

Batches = Iterator[list[Row]]
Found = tuple[tuple[str, ...], dict[str, Examples]]


def database_source(
    access: Access,
    chosen: ColumnNames,
    spool: Path,
    *,
    known: Callable[[str], Store | None] | None,
    quiet: bool = False,
) -> Source | Store:
    """What the query of `access` finds now; `spool` is a folder for the images, which must last until they are stored.

    `chosen` names the columns of the class and the group where they are not called `label` and `group`. Where `known`
    has the store of what would be read, that is the answer, and no image is read.
    """
    source = described(access)

    def consume(names: list[str], batches: Batches) -> Source:
        missing = [name for name in (*chosen[:2], *chosen.drop_columns) if name and name not in names]
        if missing:
            near = suggestion(missing[0], names) or f"it has {', '.join(names)}"
            raise UserError(f"{_where(source)} has no column {', '.join(missing)}", near)
        label, group = chosen.target_column or "label", chosen.group_column or "group"
        called = {"key": "key", "label": label, "split": "split", "group": group}
        if IMAGE in names:
            return _images(source, names, batches, called, spool / "images", quiet=quiet)
        return _table(source, names, batches, called, chosen.drop_columns)

    found, identity = read_if_new(source, access.password(), consume, known)
    if isinstance(found, Source):
        return replace(found, identity=identity)
    _logger.info("%s finds what it found before: it is in %s", _where(source), found.folder)
    return found


def sizes(access: Access, look: Callable[[Iterator[tuple[int, int] | None] | None], Any]) -> Any:
    """What `look` makes of the images' heights and widths, of the first rows; None: a table."""

    def consume(names: list[str], batches: Batches) -> Any:
        if IMAGE not in names:
            return look(None)
        at = names.index(IMAGE)
        some = itertools.islice((row[at] for batch in batches for row in batch), _LOOKED_AT)
        return look(content_size(content) for content in some if isinstance(content, bytes))

    return read(described(access), access.password(), consume, attempts=1)


class ReadRows(NamedTuple):
    """What one reading of a query took down: each row's marks and digest, the rows in order, and their bytes in all."""

    records: Records
    digests: bytearray  # of all rows, one behind the other: a list of them takes twice the memory
    order: Sequence[int]
    size: int


def _source(source: Connection, kind: str, rows: ReadRows, load: Callable[[dict[str, list[int]]], Found]) -> Source:
    """The source of rows that were read: its identity is the digest of all that was."""
    records, total = rows.records, hashlib.sha256()
    for at in rows.order:
        said = [records.key(at), *(str(values[at]) for name, values in records.columns.items() if name != "key")]
        digest = rows.digests[at * _DIGEST_BYTES : (at + 1) * _DIGEST_BYTES]
        total.update(digest + files.canonical_json([shown(each) for each in said]).encode())
    stats: tuple[Stat, ...] = ((total.hexdigest(), rows.size, records.count, 0),)
    splits = records.splits(rows.order)
    query = files.digest_bytes(source.query.encode())
    return Source(kind, stats, draws_test="test" not in splits, load=lambda: load(splits), query_sha256=query)


def _images(
    source: Connection, names: list[str], batches: Batches, called: dict[str, str], copy: Path, *, quiet: bool
) -> Source:
    _refuse_columns(names, (IMAGE, *called.values()), called["label"], _where(source))
    files.remove(copy)  # of an attempt before
    records, at = Records(names, called, source.query, _where(source)), names.index(IMAGE)
    digests, ends = bytearray(), array("q", [0])
    with files.create(copy) as stream, Progress("reading", "rows", quiet=quiet) as progress:
        for batch in batches:
            for row in batch:
                records.add(row)
                content = _content(row[at], records)
                stream.write(content)
                digests += hashlib.sha256(content).digest()
                ends.append(ends[-1] + len(content))
            progress.add(len(batch))
    records.check()

    def load(splits: dict[str, list[int]]) -> Found:
        classes, labels = records.classes(splits)
        examples = {}
        for split, rows in splits.items():
            known = records.names(rows)
            images = [
                ImageFile(str(copy), ends[row + 1] - ends[row], name, ends[row])
                for row, name in zip(rows, known, strict=True)
            ]
            examples[split] = Examples(labels[split], images, known, records.groups(rows))
        return classes, examples

    rows = ReadRows(records, digests, records.order(by_class=True), ends[-1])
    return _source(source, DATABASE, rows, load)


def _refuse_columns(names: list[str], known: Sequence[str], label: str, where: str) -> None:
    """Refuse a column that says nothing of an image: it may be one of these, misspelt."""
    unknown = [name for name in names if name not in known]
    if not unknown and label in names:
        return
    what = f"has the column {unknown[0]}, which means nothing" if unknown else f"has no column {label}"
    near = suggestion(unknown[0], known) if unknown else ""
    raise UserError(f"{where} {what}", near or f"with images a query selects {', '.join(known)}: SELECT … AS label")


def _where(source: Connection) -> str:
    return f"the query in {source.file}"


def _content(value: Any, records: Records) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    called = f"{records.key(records.count - 1)} in {records.where}"
    if value is None:
        raise UserError(f"image is missing in {called}", "fill it in, or leave it out: WHERE image IS NOT NULL")
    raise UserError(
        f"image of {called} is no bytes but {type(value).__name__}",
        "image is a column of bytes (BLOB, bytea); paths of files stand in a manifest (docs/data.md)",
    )


def _table(
    source: Connection, names: list[str], batches: Batches, called: dict[str, str], drop: tuple[str, ...]
) -> Source:
    where, label = _where(source), called["label"]
    beside = {what: name for what, name in called.items() if what != "label"}
    aside = [name for name in beside.values() if name in names]
    records = Records(aside, beside, source.query, where)
    kept = [name for name in names if name not in aside]
    if not kept:
        raise UserError(f"{where} has no columns beside {', '.join(aside)}", "select what is to be learned from")
    places, chosen = [names.index(name) for name in aside], [names.index(name) for name in kept]
    digests = bytearray()
    parts = []
    for batch in batches:
        rows = [[row[at] for at in chosen] for row in batch]
        for row in batch:
            records.add([row[at] for at in places])
        for row in rows:
            digests += hashlib.sha256(repr(row).encode("utf-8", "surrogateescape")).digest()
        parts.append(_arrow(rows, kept, where))
    records.check()
    order = records.order(by_class=False)
    kind = f"table {label} -{','.join(drop)} of a query"

    def load(splits: dict[str, list[int]]) -> Found:
        whole = _whole(parts, where).take(order)
        classes, labels, rows = labelled(whole, Path(DATABASE), label if label in kept else None, drop)
        place = {at: index for index, at in enumerate(order)}
        examples = {}
        for split, members in splits.items():
            chosen_rows = np.array([place[at] for at in members], np.int64)
            known = records.names(members) if "key" in records.columns else None
            examples[split] = Examples(labels[chosen_rows], rows.take(chosen_rows), known, records.groups(members))
        unseen = set(labels.tolist()) - set(examples["train"].labels.tolist())
        if unseen:
            raise UserError(
                f"{where} has classes that no training row has: {', '.join(classes[each] for each in sorted(unseen))}",
                "rows of every class must be in the split train",
            )
        return classes, examples

    return _source(source, kind, ReadRows(records, digests, order, sum(part.nbytes for part in parts)), load)


def _arrow(rows: list[list[Any]], names: list[str], where: str) -> "pa.Table":
    import pyarrow as pa  # noqa: PLC0415  (0.1 s, which only tables need)

    columns = {}
    for at, name in enumerate(names):
        values = [row[at] for row in rows]
        try:
            columns[name] = pa.array(values)
        except UnicodeEncodeError:
            odd = next(each for each in values if isinstance(each, str) and not each.isprintable())
            raise UserError(
                f"{name} in {where} is not UTF-8 text: '{shown(odd)}'", "write its texts as UTF-8"
            ) from None
        except (pa.ArrowException, TypeError, OverflowError, ValueError) as error:
            raise _mixed(name, where, error) from error
    return pa.table(columns)


def _whole(parts: list["pa.Table"], where: str) -> "pa.Table":
    """The parts below each other; whole numbers in one and fractions in another are numbers."""
    import pyarrow as pa  # noqa: PLC0415  (as above)

    try:
        return pa.concat_tables(parts, promote_options="permissive").combine_chunks()
    except pa.ArrowException as error:
        raise _mixed("a column", where, error) from error


def _mixed(name: str, where: str, error: Exception) -> UserError:
    return UserError(
        f"{name} in {where} is of mixed or unknown types: {one_line(error, 200)}",
        "make it numbers or texts: CAST(… AS …) AS name, or select it not at all",
    )
