"""What an extraction is asked for: its command line with types, and what is refused before Spark starts."""

import argparse
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from image_classifier.errors import UserError, one_line
from image_classifier.pipelines import rows

REPORT = "extraction.json"
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Request:
    """What is to be extracted, from where and to where."""

    source: str
    table: str | None
    scope_column: str
    scopes: tuple[str, ...]
    columns: tuple[str, ...]
    output: str
    partition_column: str | None
    num_partitions: int
    fetch_size: int
    user: str | None
    replace: bool
    jars: tuple[str, ...] = ()
    password: str | None = field(default=None, repr=False)


class _Parser(argparse.ArgumentParser):
    """A parser that refuses in this program's own words."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise UserError(message, "--help shows what is accepted")


def parsed(argv: Sequence[str]) -> Request:
    """The command line's words as a request; the password comes from the environment or a file."""
    parser = _Parser(
        prog="extraction",
        description="Rows by data scope, read once by Spark, as Parquet that --dataset_folder reads.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--source", required=True, help="jdbc:postgresql://HOST:PORT/NAME, or a folder or bucket of Parquet files")
    add("--table", help="the table or view to read over JDBC: NAME or SCHEMA.NAME")
    add("--scope_column", required=True, help="the column that says which data scope a row belongs to")
    add("--scopes", required=True, metavar="JSON", help="""the data scopes: '["a", "b"]'""")
    add("--columns", default="", help="the columns to write, a JSON list or a,b,c (default: all but the scope's)")
    add("--output", required=True, help="where each scope becomes a folder of Parquet files, beside extraction.json")
    add("--replace", action="store_true", help="write scopes again that are there already")
    add("--partition_column", help="a column of numbers, dates or times by whose ranges the table is read in parts")
    add("--num_partitions", type=_positive, default=8, help="parts of a table (default: %(default)s)")
    add("--fetch_size", type=_positive, default=10_000, help="rows that each part holds at once (default: %(default)s)")
    add("--user", help="the database's user; the password comes from the variable DB_PASS")
    add("--db_pass_file", type=Path, metavar="FILE", help="a file with the password, instead of DB_PASS")
    add("--jars", default="", help="Java archives for Spark, such as PostgreSQL's driver, if it has none of its own")
    add("--db_pass_secret", metavar="NAME", help="a secret of AWS Secrets Manager that holds it, as Glue needs it")
    # Glue adds flags of its own, such as --JOB_NAME and --TempDir.
    given = parser.parse_known_args(argv)[0] if "--JOB_RUN_ID" in argv else parser.parse_args(argv)
    if rows.is_jdbc(given.source) != bool(given.table):
        raise UserError("--table belongs to a --source that is a database, and only to that", "give both, or Parquet")
    return Request(
        source=given.source,
        table=given.table,
        scope_column=given.scope_column,
        scopes=_scopes(given.scopes),
        columns=_columns(given.columns),
        output=given.output,
        partition_column=given.partition_column,
        num_partitions=given.num_partitions,
        fetch_size=given.fetch_size,
        user=given.user,
        replace=given.replace,
        jars=tuple(filter(None, given.jars.split(","))),
        password=_password(given.db_pass_file, given.db_pass_secret),
    )


def refuse_extracted(request: Request, there: list[str]) -> None:
    """Refuse scopes that are there already, where nobody has said that they are to be written again."""
    if there and not request.replace:
        what = f"{request.output} has been extracted already: {', '.join(there)}"
        raise UserError(what, "--replace writes it again")


def _positive(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _scopes(text: str) -> tuple[str, ...]:
    hint = """--scopes '["a", "b"]': a JSON list of texts"""
    found = _listed(text)
    if found is None:
        raise UserError(f"--scopes is no list of texts: {text[:200]}", hint)
    if not found:
        raise UserError("--scopes is empty: there is nothing to extract", hint)
    twice = sorted({scope for scope in found if found.count(scope) > 1})
    if twice:
        raise UserError(f"--scopes names {', '.join(twice)} more than once", "name each scope once")
    odd = [scope for scope in found if not _SCOPE.fullmatch(scope) or scope == REPORT]
    if odd:
        raise UserError(f"{odd[0]!r} cannot name a folder", "a scope has letters, digits, dots and dashes")
    return found


def _columns(text: str) -> tuple[str, ...]:
    found = _listed(text) if text.startswith("[") else tuple(filter(None, text.split(",")))
    if found is None:
        raise UserError(f"--columns is no list of texts: {text[:200]}", "--columns a,b,c")
    if len(set(found)) != len(found):
        raise UserError("--columns names a column more than once", "name each column once")
    return found


def _listed(text: str) -> tuple[str, ...] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tuple(found) if isinstance(found, list) and all(isinstance(each, str) for each in found) else None


def _password(path: Path | None, secret: str | None) -> str | None:
    if path and secret:
        raise UserError("--db_pass_file and --db_pass_secret are two places of one password", "give one of them")
    if secret:
        return _of_secrets_manager(secret)
    if path is None:
        return os.environ.get("DB_PASS") or None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {type(error).__name__}", "--db_pass_file names a text file") from error


def _of_secrets_manager(name: str) -> str:
    """The secret's text, or the password in it where it is JSON, as those of AWS's databases are."""
    try:
        import boto3  # noqa: PLC0415  (Glue has it; elsewhere an extra)

        text = str(boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
    except Exception as error:
        # By the module: its errors are made when it runs.
        if not isinstance(error, ImportError | KeyError) and not type(error).__module__.startswith("botocore"):
            raise
        hint = "the job's role needs secretsmanager:GetSecretValue; AWS_DEFAULT_REGION says where it is"
        raise UserError(f"the secret {name} cannot be read: {one_line(error, 200)}", hint) from error
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return str(found["password"]) if isinstance(found, dict) and "password" in found else text
