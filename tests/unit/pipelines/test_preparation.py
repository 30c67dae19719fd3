import json

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from image_classifier.errors import UserError
from image_classifier.pipelines import preparation, use_case
from image_classifier.pipelines.extraction_request import parsed
from image_classifier.pipelines.work import NoDataError

TABLE = pa.table({"width": [1.0, 2.0, 3.0], "height": [1, 2, 3], "kind": ["a", None, "b"], "remark": ["x", "y", "z"]})
HALVES = b"kind,height,width\nb,2.5,1.5\n"


@pytest.fixture
def put(work):
    """put(scope, {name: table or bytes}, …) stores a scope's input; what its step works with."""

    def store(scope, contents, **parameters):
        given = work(scope, **parameters)
        folder = given.storage.path("pipeline_input", given.parameters.use_case, scope)
        for name, content in contents.items():
            given.storage.write(f"{folder}/{name}", content if isinstance(content, bytes) else written(name, content))
        return given

    return store


def written(name, table):
    """A table as a file of its suffix holds it."""
    stream = pa.BufferOutputStream()
    if name.endswith(".csv"):
        csv.write_csv(table, stream)
    else:
        parquet.write_table(table, stream)
    return stream.getvalue().to_pybytes()


def rows(given, handed):
    return parquet.read_table(given.fetched(handed["data"]) / "table.parquet").to_pylist()


def test_what_is_asked_is_kept_and_the_scopes_are_handed_on(work):
    given = work()
    handed = preparation.setup_extraction(given, {"data_scopes": '["red", "white"]'})
    assert json.loads(handed["Output"]) == ["red", "white"]
    assert handed["extract"] == "no"
    plan = given.storage.read_json(given.storage.path("pipeline_tmp", "one", "plan.json"))
    assert plan == {"use_case": "smoke", "run_type": "individual", "data_scopes": ["red", "white"]}


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_scope_with_rows_is_ready(put, name):
    given = put("good", {name: TABLE})
    path = given.storage.path("pipeline_input", "smoke", "good")
    assert preparation.setup(given, {"scope": "good"}) == {"Output": "ready", "data": path}


@pytest.mark.parametrize(
    "contents",
    [
        {},
        {"a.csv": TABLE.slice(0, 0)},
        {"a.parquet": TABLE.slice(0, 0)},
        {"_SUCCESS": b""},
        {"readme.txt": b"no table"},
        {"a.csv": b"width,height,kind\n\n"},
    ],
)
def test_a_scope_without_rows_has_no_data(put, contents):
    with pytest.raises(NoDataError, match=r"there are no data in .*/pipeline_input/smoke/empty"):
        preparation.setup(put("empty", contents), {"scope": "empty"})


def test_the_use_cases_columns_of_all_parts_are_kept_and_rows_without_a_class_are_not(put):
    given = put(
        "good",
        {"1.csv": TABLE, "part/2.csv": TABLE.slice(0, 1), "3.csv": TABLE.slice(0, 0), "_SUCCESS": b"", "4.csv": HALVES},
    )
    path = preparation.setup(given, {})["data"]
    found = rows(given, preparation.preprocessing(given, {"data": path}))
    first, last = {"width": 1.0, "height": 1, "kind": "a"}, {"width": 3.0, "height": 3, "kind": "b"}
    assert found == [first, last, {"width": 1.5, "height": 2.5, "kind": "b"}, first]


def test_rows_none_of_which_has_a_class_are_no_data(put):
    given = put("none", {"1.parquet": TABLE.slice(1, 1)})
    with pytest.raises(NoDataError, match="1 rows of none, and none has a kind"):
        preparation.preprocessing(given, {"data": preparation.setup(given, {})["data"]})


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ({"a.csv": TABLE.drop_columns("height")}, "a.csv has no column 'height'"),
        ({"a.csv": TABLE.set_column(0, "width", [["1", "2", "x"]])}, "column 'width' of a.csv must be a number"),
        ({"a.parquet": b"no parquet"}, "is no Parquet file|no readable table"),
        ({"a.parquet": TABLE, "b.parquet": TABLE.set_column(2, "kind", [[1, 2, 3]])}, "differ in their columns' types"),
        ({"a.csv": b"width,height,kind\n1,2\n"}, "a.csv is no readable table"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(put, contents, said):
    given = put("bad", contents)
    with pytest.raises(UserError, match=said):
        preparation.preprocessing(given, {"data": preparation.setup(given, {})["data"]})


def test_images_are_handed_on_as_they_lie(put):
    given = put("digits", {"0/a.png": b"\x89PNG", "1/b.png": b"\x89PNG"}, use_case="digits_images")
    handed = preparation.setup(given, {})
    assert preparation.preprocessing(given, {"data": handed["data"]}) == {"data": handed["data"]}
    assert handed["data"].endswith("pipeline_input/digits_images/digits")


@pytest.fixture
def extracting(monkeypatch, tmp_path):
    """extracting(lines) adds lines on an extraction to the use case `smoke`."""

    def add(lines):
        text = (use_case.FOLDER / "smoke.yaml").read_text()
        (tmp_path / "smoke.yaml").write_text(text + lines)
        monkeypatch.setattr(use_case, "FOLDER", tmp_path)

    return add


def test_the_extraction_is_asked_for_what_the_use_case_says(work, extracting):
    extracting(
        "source: jdbc:postgresql://host:5432/plants\ntable: public.boxes\nscope_column: site\nuser: reader\n"
        "partition_column: id\nnum_partitions: 4\n"
    )
    given = work()
    assert preparation.setup_extraction(given, {"data_scopes": '["a", "b"]'})["extract"] == "yes"
    request = parsed(preparation.extraction(given, {"data_scopes": '["a", "b"]'}))
    assert (request.source, request.table) == ("jdbc:postgresql://host:5432/plants", "public.boxes")
    assert (request.scope_column, request.scopes) == ("site", ("a", "b"))
    assert request.columns == ("width", "height", "kind")
    assert (request.partition_column, request.num_partitions, request.user) == ("id", 4, "reader")
    assert (request.output, request.replace) == (given.storage.path("pipeline_tmp", "one", "extracted"), True)


def test_a_scope_that_was_extracted_is_read_from_the_runs_own_files(work, extracting):
    extracting("source: s3://bucket/all\nscope_column: site\n")
    given = work("a")
    place = given.storage.path("pipeline_tmp", "one", "extracted", "a")
    given.storage.write(f"{place}/part-0.parquet", written("part-0.parquet", TABLE))
    given.storage.write(f"{place}/_SUCCESS", b"")
    handed = preparation.setup(given, {})
    assert handed == {"Output": "ready", "data": place}
    assert len(rows(given, preparation.preprocessing(given, handed))) == 2
