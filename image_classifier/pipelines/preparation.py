"""The steps before a training: what is asked, the extraction, each scope's data, its table, its prepared store."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from image_classifier import files
from image_classifier.errors import UserError, one_line
from image_classifier.pipelines import command, structure
from image_classifier.pipelines.parameters import scopes_of
from image_classifier.pipelines.storage import TMP
from image_classifier.pipelines.work import NoDataError, Work

if TYPE_CHECKING:
    import pyarrow as pa

READY = "ready"
_TABLES = (".csv", ".parquet")


def setup_extraction(work: Work, inputs: dict[str, str]) -> dict[str, str]:
    """The data scopes, and whether their data must be extracted; what was asked is kept for the later steps."""
    scopes = scopes_of(inputs["data_scopes"])
    parameters = work.parameters
    plan = {"use_case": parameters.use_case, "run_type": parameters.run_type, "data_scopes": scopes}
    work.storage.write_json(work.storage.path(TMP, parameters.kf_run_id, "plan.json"), plan)
    return {"Output": json.dumps(scopes), "extract": "yes" if work.use_case.extraction else "no"}


def extract(work: Work, inputs: dict[str, str]) -> dict[str, str]:
    """Have Spark write each data scope's rows; its password comes from the environment."""
    command.run([sys.executable, "-m", "image_classifier.pipelines.extraction", *extraction(work, inputs)])
    return {}


def extraction(work: Work, inputs: dict[str, str]) -> list[str]:
    """The command line of the extraction; one that is tried again writes its scopes again."""
    asked = {name: value for name, value in work.use_case.extraction.items() if value}
    asked |= {"scopes": json.dumps(scopes_of(inputs["data_scopes"])), "output": work.place("extracted")}
    if work.use_case.is_table:
        asked["columns"] = json.dumps(list(work.use_case.columns))
    return [*(f"--{name}={value}" for name, value in asked.items()), "--replace"]


def setup(work: Work, _inputs: dict[str, str]) -> dict[str, str]:
    """Where the scope's data lie, if there are any; a prefix in a bucket without files is the same as none."""
    if work.use_case.extraction:
        path = f"{work.place('extracted')}/{work.scope}"
    else:
        path = work.place("table" if work.use_case.is_table else "images")
    if not any(_has_data(work, f"{path}/{name}") for name, size in work.storage.listed(path).items() if size):
        raise NoDataError(f"there are no data in {path}")
    return {"Output": READY, "data": path}


def _has_data(work: Work, path: str) -> bool:
    """Whether a file that is not empty holds an image, or a row of a table."""
    if not work.use_case.is_table:
        return True
    if not path.lower().endswith(_TABLES):
        return False
    with work.storage.opened(path) as stream:
        if path.lower().endswith(".csv"):
            return bool(stream.readline()) and any(line.strip() for line in stream)
        from pyarrow import ArrowException, parquet  # noqa: PLC0415  (0.1 s, which only tables need)

        try:
            return bool(parquet.ParquetFile(stream).metadata.num_rows)
        except ArrowException as error:
            raise UserError(f"{path} is no Parquet file: {one_line(error, 300)}", "store it again") from error


def preprocessing(work: Work, inputs: dict[str, str]) -> dict[str, str]:
    """The use case's columns of the rows that have a class, as one table; images are handed on as they lie."""
    if not work.use_case.is_table:
        return {"data": inputs["data"]}
    from pyarrow import parquet  # noqa: PLC0415  (0.1 s, which only tables need)

    table = _rows(work, work.raw(inputs["data"]))
    folder = work.folder / "preprocessed"
    files.make_folder(folder)
    with files.create(folder / "table.parquet") as stream:
        parquet.write_table(table, stream)
    return {"data": work.publish("preprocessed", folder)}


def feature_engineering(work: Work, inputs: dict[str, str]) -> dict[str, str]:
    """The scope's prepared store, as `image_classifier prepare` makes it."""
    given, table = inputs["data"], work.use_case.is_table
    data = work.fetched(given) / "table.parquet" if table else work.raw(given)
    store = work.folder / "store"
    command.run([
        command.program("image_classifier"), "prepare", f"--dataset_folder={data}", f"--config={work.settings()}",
        f"--output={store}", f"--cache_folder={work.folder / 'cache'}",
    ])  # fmt: skip
    return {"store": work.publish("store", store)}


def _rows(work: Work, folder: Path) -> "pa.Table":
    """The rows of all tables in a folder that have a class."""
    import pyarrow as pa  # noqa: PLC0415  (0.1 s, which only tables need)
    from pyarrow import compute  # noqa: PLC0415

    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _TABLES and path.stat().st_size)
    if not found:
        raise NoDataError(f"there is no {' or '.join(_TABLES)} with data among the files of {work.scope}")
    columns = work.use_case.columns
    parts = [table.select(list(columns)) for path in found if (table := _table(path, columns)) is not None]
    if not parts:
        raise NoDataError(f"no table of {work.scope} has a row")
    try:  # a column of CSV is of whole numbers where all of a file's are
        table = pa.concat_tables(parts, promote_options="permissive")
    except pa.ArrowException as error:
        raise UserError(f"the tables of {work.scope} differ in their columns' types: {one_line(error, 300)}") from error
    kept = table.filter(compute.is_valid(table.column(work.use_case.target)))
    if not kept.num_rows:
        raise NoDataError(f"{table.num_rows} rows of {work.scope}, and none has a {work.use_case.target}")
    sys.stderr.write(f"{kept.num_rows} of {table.num_rows} rows of {work.scope} have a {work.use_case.target}\n")
    return kept


def _table(path: Path, columns: dict[str, str]) -> "pa.Table | None":
    """One file's table, whose columns are as the use case says, or `None` if it has no row, and so no types."""
    import pyarrow as pa  # noqa: PLC0415  (0.1 s, which only tables need)
    from pyarrow import csv, parquet  # noqa: PLC0415

    options = csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    try:
        if path.suffix.lower() == ".parquet":
            table = parquet.read_table(path, memory_map=False, partitioning=None)
        else:
            table = csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path.name} is no readable table: {one_line(error, 300)}", "store it again") from error
    if not table.num_rows:
        return None
    structure.check_schema(table.schema, path.name, columns, others=True)
    return table
