"""Rows by data scope, read once by Spark, as Parquet that --dataset_folder reads: a program of its own.

    python -m image_classifier.pipelines.extraction --source jdbc:postgresql://HOST/NAME --table T …
    spark-submit --py-files image_classifier-….whl extraction.py --source s3a://… …

A cluster's Spark runs it with our wheel alone: it imports nothing that needs another package but Spark.
"""

import sys
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from image_classifier.errors import UserError
from image_classifier.masking import HIDDEN, masked
from image_classifier.pipelines import bucket, engine, program, rows
from image_classifier.pipelines.extraction_request import REPORT, Request, parsed, refuse_extracted
from image_classifier.pipelines.hadoop import Folder

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_BY = "extraction_scope"  # the column whose values become folders


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the program."""
    return program.ended(lambda: _work(sys.argv[1:] if argv is None else argv))


def _work(argv: Sequence[str]) -> int:
    request = parsed(argv)
    try:
        found = run(request)
    except UserError as error:
        raise UserError(*(_without(request.password, text) for text in (error.what, error.hint))) from None
    sys.stdout.writelines(f"{scope}: {number or 'no'} rows\n" for scope, number in found.items())
    return 0


def run(request: Request, called: str = "") -> dict[str, int]:
    """The number of rows of each scope, once all of them lie below `output`; `called` is the source for people."""
    if "s3://" in (request.source[:5], request.output[:5]) and not engine.submitted():
        with bucket.on_this_disk(request) as here:
            return run(here, request.source)
    with engine.session(request.jars) as spark:
        return extract(spark, request, called or request.source)


def extract(spark: "SparkSession", request: Request, called: str) -> dict[str, int]:
    """As `run`, with a Spark that is there."""
    with engine.refusals(f"{request.output} cannot be written"):
        folder = Folder(spark, request.output)
        there = [scope for scope in request.scopes if folder.complete(scope)]
    refuse_extracted(request, there)
    where = masked(called.removeprefix("jdbc:"))
    with engine.refusals(f"{where} cannot be read"):
        frame = _chosen(_source(spark, request), request)
    temporary = f".extraction-{uuid.uuid4().hex}"
    spark.sparkContext.setJobGroup(temporary, "extraction", interruptOnCancel=True)
    try:
        with engine.refusals(f"the extraction from {where} failed"):
            frame.write.partitionBy(_BY).parquet(f"{folder.root}/{temporary}")
            found = _counted(spark, folder, temporary)
            for scope in request.scopes:
                folder.publish(f"{temporary}/{_BY}={scope}", scope)
    finally:
        engine.apart(lambda: _end(spark, folder, temporary))
    number = {scope: found.get(scope, 0) for scope in request.scopes}
    types = {each.name: each.dataType.simpleString() for each in frame.schema if each.name != _BY}
    with engine.refusals(f"{request.output} cannot be written"):
        folder.write_json(REPORT, {"rows": number, "columns": types, "source": where, "table": request.table})
    return number


def _end(spark: "SparkSession", folder: Folder, temporary: str) -> None:
    """Leave nothing at work and nothing half done."""
    spark.sparkContext.cancelJobGroup(temporary)
    with engine.refusals(f"{folder.root} cannot be written"):
        folder.remove(temporary)


def _source(spark: "SparkSession", request: Request) -> "DataFrame":
    if not rows.is_jdbc(request.source):
        return rows.parquet(spark, request.source)
    # With a fetch size PostgreSQL's driver holds a cursor on the server, instead of all rows in memory.
    connection = {"url": request.source, "driver": "org.postgresql.Driver", "fetchsize": str(request.fetch_size)}
    connection |= {"user": request.user} if request.user else {}
    connection |= {"password": request.password} if request.password else {}
    by = request.partition_column
    return rows.jdbc(spark, connection, str(request.table), (by, request.num_partitions) if by else None)


def _chosen(frame: "DataFrame", request: Request) -> "DataFrame":
    """The scopes' rows and the wanted columns, ordered as far as the source has an order."""
    from pyspark.sql import functions as F  # noqa: PLC0415  (an extra: an engine brings its own)

    by = request.scope_column
    rows.refuse_unknown([by], frame, "--scope_column")
    rows.refuse_unknown(list(request.columns), frame, "--columns")
    if _BY in frame.columns:
        raise UserError(f"the source has a column {_BY}, a name that the extraction needs", "rename it, in a view")
    names = list(request.columns) or [name for name in frame.columns if name != by]
    rows.refuse_unreadable(frame, names)
    frame = frame.where(_column(frame, by).isin(rows.scope_values(frame, by, request.scopes)))
    order = [F.col(_BY)]
    if request.partition_column and rows.is_jdbc(request.source):
        order.append(_column(frame, request.partition_column))
    frame = frame.withColumn(_BY, _column(frame, by).cast("string")).sortWithinPartitions(*order)
    return frame.select(*(_column(frame, name) for name in names), F.col(_BY))


def _column(frame: "DataFrame", name: str) -> "Column":
    return frame["`{}`".format(name.replace("`", "``"))]


def _counted(spark: "SparkSession", folder: Folder, temporary: str) -> dict[str, int]:
    """The rows of each scope as they were written: from the ends of the files, which say how many each has."""
    # With the type given, a scope called 007 stays that.
    written = spark.read.schema(f"{_BY} string").parquet(f"{folder.root}/{temporary}")
    return {str(row[_BY]): int(row["count"]) for row in written.groupBy(_BY).count().collect()}


def _without(password: str | None, text: str) -> str:
    return text.replace(password, HIDDEN) if password else text


if __name__ == "__main__":
    sys.exit(main())
