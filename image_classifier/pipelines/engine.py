"""Spark: a session of the cluster's or one of our own on this machine, and what it refuses, in words."""

import contextlib
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_classifier.errors import UserError, one_line

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_POSTGRESQL = "org.postgresql.util.PSQLException"
_LONGEST = 300  # characters of a foreign error
# Without a cluster: nothing listens to others, no web page, no bar of progress, and what fails is told by us, once.
_OWN: dict[str, bool | float | int | str | None] = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "FATAL",
}
_JAVA = "Spark 4 needs Java 17 or later: install one (Debian: openjdk-17-jre-headless), or set JAVA_HOME"
_MEMORY = "give it more (spark-submit --driver-memory 2g), or less at once: --fetch_size, --num_partitions"
# PostgreSQL's codes of errors (its documentation, appendix A), by their beginnings.
_STATES = {
    "28": "check --user, and the password in DB_PASS or --db_pass_file",
    "3D": "check the database's name in --source",
    "42P01": "check --table; one outside the search path needs its schema: schema.table",
    "42501": "ask the table's owner: GRANT SELECT",
    "08": "check host and port in --source, and that the server takes connections from here",
}
_TEXTS = {
    r"org\.postgresql\.Driver|No suitable driver": "Spark has no driver for PostgreSQL: give its jar with --jars "
    "(Debian: libpostgresql-jdbc-java), or spark-submit --packages org.postgresql:postgresql:42.7.4",
    r"S3AFileSystem": "Spark has no connector for s3a://: spark-submit --packages org.apache.hadoop:hadoop-aws:VERSION "
    "(that of Spark's Hadoop), or s3:// without a cluster",
    r"PATH_NOT_FOUND|Path does not exist": "check --source",
    r"UNABLE_TO_INFER_SCHEMA|CANNOT_READ_FILE_FOOTER|is not a Parquet file": "--source is a folder of Parquet files",
    r"OutOfMemoryError|Java heap space|Py4JNetworkError": _MEMORY,
    r"No space left": "free disk space and run again",
    r"Permission denied|AccessControl|Mkdirs failed": "check the rights to --source and --output",
    r"COLUMN_ALREADY_EXISTS|duplicate column": "Spark sees no case in names: read a view without one of them",
}


def submitted() -> bool:
    """Whether spark-submit, or an engine that does its work, runs this program."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


@contextlib.contextmanager
def session(jars: Sequence[str]) -> "Iterator[SparkSession]":
    """Spark as the caller or the cluster has begun it, else one on this machine that ends with the block."""
    try:
        from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415  (an extra: an engine brings its own)
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError as error:
        hint = "pip install 'image_classifier[spark]', or run this with spark-submit"
        raise UserError(f"there is no Spark here: {one_line(error)}", hint) from error
    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    builder = SparkSession.builder.appName("image_classifier extraction")
    if jars:
        builder = builder.config("spark.jars", ",".join(_found(jars)))
    if not submitted():
        _refuse_without_java()
        builder = builder.config(map=_OWN)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of pandas, which is not used here
            spark = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise UserError(f"Spark does not start: {one_line(error, _LONGEST)}", _JAVA) from error
    try:
        yield spark
    finally:
        apart(spark.stop)


def apart(call: Callable[[], object]) -> None:
    """Make a call to Java that goes through at once: a stop leaves the caller's own line busy with its last call."""
    with ThreadPoolExecutor(1) as other:
        try:
            other.submit(call).result()
        except ConnectionError as error:
            raise UserError("Spark's Java process has ended, perhaps for lack of memory", _MEMORY) from error


def _found(jars: Sequence[str]) -> list[str]:
    missing = [jar for jar in jars if "://" not in jar and not Path(jar).is_file()]
    if missing:
        raise UserError(f"there is no file {missing[0]}", "--jars FILE[,FILE…] names Java archives")
    return list(jars)


def _refuse_without_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java", path=f"{home}/bin" if home else None) is None:
        raise UserError("there is no Java" + (f" in JAVA_HOME={home}" if home else " on the PATH"), _JAVA)


@contextlib.contextmanager
def refusals(doing: str) -> Iterator[None]:
    """Turn what Spark or a driver of a database refuses into one line and, where the cause is known, a way out."""
    try:
        yield
    except Exception as error:
        # By the module: the classes come with Spark, which whoever calls this may not have.
        if type(error).__module__.partition(".")[0] not in ("pyspark", "py4j"):
            raise
        text, state = _root(error)
        raise UserError(f"{doing}: {text}", _hint(text, state)) from None  # Java's trace may show what is secret


def _root(error: Exception) -> tuple[str, str]:
    """The text of what went wrong first, and PostgreSQL's code if it came from there."""
    chain: list[Any] = [getattr(error, "java_exception", None) or getattr(error, "_origin", None)]
    if chain[0] is None:
        return one_line(error, _LONGEST), ""
    while (cause := chain[-1].getCause()) is not None:
        chain.append(cause)
    names = [str(each.getClass().getName()) for each in chain]
    chosen = names.index(_POSTGRESQL) if _POSTGRESQL in names else -1
    # A failed task's exception may arrive as text alone, with its trace.
    text = re.sub(r"\s+at [\w.$/]+\(.*", "", str(chain[chosen].toString()), flags=re.DOTALL)
    text = " ".join(text.removeprefix(f"{names[chosen]}:").split())[:_LONGEST]
    if names[chosen] == _POSTGRESQL:
        return re.sub(r"^[A-Z]+: | Position: \d+$", "", text), str(chain[chosen].getSQLState() or "")
    return f"{names[chosen].rpartition('.')[2]}: {text}", ""


def _hint(text: str, state: str) -> str:
    by_state = next((hint for begin, hint in _STATES.items() if state.startswith(begin)), "")
    by_text = next((hint for pattern, hint in _TEXTS.items() if re.search(pattern, text)), "")
    return by_state or by_text or "spark-submit shows all that Spark says"
