import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from image_classifier.errors import UserError
from image_classifier.pipelines import structure
from image_classifier.pipelines.storage import INPUT, OUTPUTS, TMP

KPIS = (
    "kf_run_id,run_id,data_scope,state,n,accuracy,accuracy_low,accuracy_high,nb_freq_sets,max_support_value\n"
    "1,smoke/a,a,done,36,0.5,0.4,0.6,3,0.25\n"
    "1,smoke/b,b,failed,,,,,,\n"
)
ERRORS = 'kf_run_id,run_id,pipeline_step,error_msg\n1,smoke/b,train,"two\nlines"\n'
SUMMARY = {
    "kf_run_id": "1",
    "use_case": "smoke",
    "run_type": "individual",
    "data_scopes": ["a"],
    "states": {},
    "failures": [],
}
COLUMNS = {"width": "number", "colour": "text", "kind": "class"}


@pytest.fixture
def outputs(tmp_path):
    """A folder of outputs as the structure wants it."""
    (tmp_path / "kpis.csv").write_text(KPIS)
    (tmp_path / "error_logs.csv").write_text(ERRORS)
    (tmp_path / "pipeline.json").write_text(json.dumps(SUMMARY))
    return tmp_path


def test_every_area_has_a_file_and_every_kind_a_place_in_it():
    kinds = structure.kinds()
    assert {kind.area for kind in kinds.values()} == {INPUT, TMP, OUTPUTS}
    named = {"use_case": "u", "scope": "s", "kf_run_id": "i", "run_type": "r"}
    places = {name: "/".join(kind.names(**named)) for name, kind in kinds.items()}
    assert places["outputs"] == "u/r/i"
    assert all("i" in kind.names(**named) for kind in kinds.values() if kind.area == TMP), "outside its run's files"
    in_tmp = [places[name] for name, kind in kinds.items() if kind.area == TMP]
    assert len(set(in_tmp)) == len(in_tmp), "two kinds in one place"


def test_what_is_as_the_structure_says_passes(outputs):
    structure.check(outputs, "outputs")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("kpis.csv", None, r"outputs has no kpis\.csv"),
        ("kpis.csv", "", r"kpis\.csv of outputs is empty"),
        ("kpis.csv", KPIS.replace("n,", "m,", 1), r"kpis\.csv has no column 'n'; it has 'kf_run_id'"),
        ("kpis.csv", KPIS.replace("36", "many"), r"line 2 of kpis\.csv: n must be an integer or nothing, not 'many'"),
        ("kpis.csv", KPIS.replace("36", "36.5"), "n must be an integer or nothing, not '36.5'"),
        ("kpis.csv", KPIS.replace(",,,,,,", ""), r"line 3 of kpis\.csv: n must be an integer or nothing, not None"),
        ("error_logs.csv", ERRORS.replace("_msg", "_msg,more"), "has the column 'more', which is not asked for"),
        ("pipeline.json", "{", r"pipeline\.json is not valid JSON"),
        ("pipeline.json", "[]", "holds no mapping but a list"),
        (
            "pipeline.json",
            json.dumps(SUMMARY | {"states": None}),
            "states in pipeline.json must be a mapping, not None",
        ),
        ("pipeline.json", json.dumps(SUMMARY | {"kf_run_id": True}), "must be a text, not True"),
        ("pipeline.json", json.dumps({}), "has no 'kf_run_id'; it has none|has no 'kf_run_id'"),
    ],
)
def test_what_is_otherwise_is_refused_with_file_column_and_finding(outputs, name, text, said):
    (outputs / name).unlink() if text is None else (outputs / name).write_text(text)
    with pytest.raises(UserError, match=said):
        structure.check(outputs, "outputs")


def write(folder, **columns):
    parquet.write_table(pa.table(columns), folder / "table.parquet")


def test_a_table_has_the_columns_of_the_use_case(tmp_path):
    write(tmp_path, width=[1, 2], colour=["a", None], kind=[5, 6])
    structure.check(tmp_path, "preprocessed", COLUMNS)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"width": ["1"], "colour": ["a"], "kind": [1]},
            "column 'width' of table.parquet must be a number, but is string",
        ),
        ({"width": [1.5], "colour": [1], "kind": [1]}, "column 'colour' of table.parquet must be a text, but is int64"),
        (
            {"width": [1.5], "colour": ["a"], "kind": [1.5]},
            "'kind' of table.parquet must be whole numbers.*but is double",
        ),
        ({"width": [1.5], "kind": [1]}, "has no column 'colour'"),
        ({"width": [1.5], "colour": ["a"], "kind": [1], "id": [1]}, "has the column 'id'"),
    ],
)
def test_a_table_with_other_columns_is_refused(tmp_path, columns, said):
    write(tmp_path, **columns)
    with pytest.raises(UserError, match=said):
        structure.check(tmp_path, "preprocessed", COLUMNS)


def test_stored_files_are_checked_by_their_names():
    names = list(structure.kinds()["scope_outputs"].files)
    structure.check_names([*names, "more"], "scope_outputs")
    with pytest.raises(UserError, match=r"scope_outputs has no error_sets\.csv"):
        structure.check_names([name for name in names if name != "error_sets.csv"], "scope_outputs")
