"""The rows that an extraction reads: a table over JDBC or Parquet files, seen by Spark and not read yet."""

import math
import re
from typing import TYPE_CHECKING, Any

from image_classifier.errors import UserError, suggestion
from image_classifier.masking import HIDDEN, masked

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_NAME = r"(\w+|\"[^\"]+\")"
_TABLE = re.compile(rf"{_NAME}(\.{_NAME}){{0,2}}")
# What --dataset_folder reads, by Spark's names of types.
_NUMBERS = {"tinyint", "smallint", "int", "bigint", "float", "double", "decimal"}
_WHOLE = {"tinyint", "smallint", "int", "bigint"}
_READABLE = _NUMBERS | {"string", "boolean"}


def is_jdbc(source: str) -> bool:
    """Whether a source is a database; one of another kind, or with a password in its address, is refused."""
    if not source.startswith("jdbc:"):
        return False
    if not source.startswith("jdbc:postgresql:"):
        kind = source.split(":")[1]
        raise UserError(f"--source is a database of the kind {kind}", "jdbc:postgresql://HOST:PORT/NAME is read")
    if "@" in source or re.search(r"[?&](user|password|sslpassword)=", source, re.IGNORECASE):
        shown = masked(source.removeprefix("jdbc:"))
        hint = "give --user, and the password in the variable DB_PASS or in a file by --db_pass_file"
        raise UserError(f"--source holds a login: {HIDDEN if '=' in shown else shown}", hint)
    return True


def parquet(spark: "SparkSession", source: str) -> "DataFrame":
    """The rows of the Parquet files in a folder or a bucket."""
    return spark.read.parquet(source)


def jdbc(
    spark: "SparkSession",
    connection: dict[str, str],
    table: str,
    partition: tuple[str, int] | None,
) -> "DataFrame":
    """A table's rows, read by as many connections at once as `partition` says: ranges of a column, and their number."""
    if not _TABLE.fullmatch(table):
        raise UserError(
            f"{table!r} is no table's name", "--table NAME or SCHEMA.NAME; what needs SQL belongs in a view"
        )
    reader = spark.read.format("jdbc").options(**connection, dbtable=table)
    whole = reader.load()
    if partition is None:
        return whole
    column, number = partition
    refuse_unknown([column], whole, "--partition_column")
    kind = kind_of(whole, column)
    if kind not in _NUMBERS | {"date", "timestamp", "timestamp_ntz"}:
        raise UserError(f"--partition_column {column} has the type {kind}", "choose one of numbers, dates or times")
    quoted = '"{}"'.format(column.replace('"', '""'))
    # The table's name has been looked at, the column's is one of its columns, quoted.
    bounds = f"(SELECT min({quoted}) AS low, max({quoted}) AS high FROM {table}) AS bounds"  # noqa: S608
    found = spark.read.format("jdbc").options(**connection, dbtable=bounds).load().first()
    if found is None or found["low"] is None:
        return whole  # no rows, or none with a value: there is nothing to divide
    low, high = found["low"], found["high"]
    if kind in _NUMBERS:
        low, high = math.floor(low), math.ceil(high)
    ranges = {"partitionColumn": column, "lowerBound": str(low), "upperBound": str(high), "numPartitions": str(number)}
    return reader.options(**ranges).load()


def refuse_unknown(names: list[str], frame: "DataFrame", flag: str) -> None:
    """Refuse names that are no columns, letter by letter; Spark itself would not mind the case."""
    unknown = [name for name in names if name not in frame.columns]
    if unknown:
        hint = suggestion(unknown[0], frame.columns) or f"there are {', '.join(frame.columns)}"
        raise UserError(f"{flag} names no column of the source: {', '.join(unknown)}", hint)


def kind_of(frame: "DataFrame", column: str) -> str:
    """Spark's name of a column's type, without its size."""
    return frame.schema[column].dataType.simpleString().partition("(")[0].partition("<")[0]


def refuse_unreadable(frame: "DataFrame", names: list[str]) -> None:
    """Refuse columns that a training could not read."""
    odd = {name: kind_of(frame, name) for name in names if kind_of(frame, name) not in _READABLE}
    if odd:
        rest = [name for name in names if name not in odd]
        raise UserError(
            f"a training reads numbers, texts and booleans: {', '.join(f'{name} is {odd[name]}' for name in odd)}",
            f"leave them out: --columns {','.join(rest)}" if rest else "name others by --columns",
        )


def scope_values(frame: "DataFrame", column: str, scopes: tuple[str, ...]) -> list[Any]:
    """The scopes as values of the column's type, so that the source itself can choose the rows."""
    kind = kind_of(frame, column)
    if kind == "string":
        return list(scopes)
    if kind not in _WHOLE:
        raise UserError(f"--scope_column {column} has the type {kind}", "choose one of texts or whole numbers")
    odd = [scope for scope in scopes if not re.fullmatch(r"0|-?[1-9][0-9]{0,17}", scope)]
    if odd:
        raise UserError(f"--scope_column {column} holds whole numbers, and {odd[0]!r} is none", "correct --scopes")
    return [int(scope) for scope in scopes]
