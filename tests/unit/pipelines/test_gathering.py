import csv
import io
import json

import pytest

from image_classifier.errors import UserError
from image_classifier.pipelines import records
from image_classifier.pipelines.gathering import gather
from image_classifier.pipelines.records import SCOPE_STEPS, Record, State

FIGURES = {"split": "test", "n": 40, "accuracy": 0.75, "accuracy_ci95": [0.6, 0.9], "per_class": {}}
MINED = {
    "run.json": b"{}",
    "metrics.json": b"{}",
    "error_sets.csv": b"support,itemsets,pattern_length,itemsets_desc\n",
    "error_sets.json": b'{"nb_freq_sets": 2, "max_support_value": 0.5}',
}
ASKED = {"data_scopes": '["a", "b"]', "debug": "no"}


@pytest.fixture
def ended(work, tmp_path):
    """ended({scope: number of steps that are done}, **parameters) is the last step's work after such a run."""

    def make(done, **parameters):
        given = work(**parameters)
        records.write(given.storage, given.parameters, "_run", Record("setup_extraction", State.DONE))
        for scope, count in done.items():
            for step in SCOPE_STEPS[:count]:
                records.write(given.storage, given.parameters, scope, Record(step, State.DONE))
            of_scope = work(scope, **parameters)
            for kind, contents in (("mined", MINED), ("evaluation", {"evaluation.json": json.dumps(FIGURES).encode()})):
                folder = tmp_path / f"{scope}-{kind}"
                folder.mkdir(exist_ok=True)
                for name, data in contents.items():
                    (folder / name).write_bytes(data)
                if count == len(SCOPE_STEPS):
                    of_scope.storage.put(folder, of_scope.place(kind))
        return given

    return make


def rows(given, name, *place):
    path = given.storage.path("pipeline_outputs", *(place or ("smoke", given.parameters.run_type, "one")), name)
    return list(csv.DictReader(io.StringIO(given.storage.read(path).decode())))


def latest(given):
    return given.storage.read_json(given.storage.path("pipeline_outputs", "smoke", "latest.json"))


ALL = len(SCOPE_STEPS)


def test_a_run_in_which_all_went_well_has_kpis_runs_and_becomes_the_latest(ended):
    given = ended({"a": ALL, "b": ALL})
    gather(given, ASKED)
    kpis = rows(given, "kpis.csv")
    assert [row["data_scope"] for row in kpis] == ["a", "b"]
    assert list(kpis[0].values()) == ["one", "smoke/a", "a", "done", "40", "0.75", "0.6", "0.9", "2", "0.5"]
    assert rows(given, "error_logs.csv") == []
    place = given.storage.path("pipeline_outputs", "smoke", "individual", "one")
    assert latest(given)["path"] == place
    kept = {f"runs/{scope}/{name}" for scope in "ab" for name in (*MINED, "evaluation.json")}
    assert given.storage.manifest(place).keys() == kept | {"kpis.csv", "error_logs.csv", "pipeline.json"}
    assert given.storage.listed(given.storage.path("pipeline_tmp")) == {}


def test_a_scope_whose_container_was_killed_is_an_error_and_the_run_is_red(ended):
    given = ended({"a": ALL, "b": 3})
    with pytest.raises(UserError, match="smoke/b in train"):
        gather(given, ASKED)
    (row,) = rows(given, "error_logs.csv")
    assert (row["run_id"], row["pipeline_step"]) == ("smoke/b", "train")
    assert "ended without a word" in row["error_msg"]
    assert latest(given) is None
    assert given.storage.listed(given.storage.path("pipeline_tmp")) == {}


def test_a_skipped_scope_is_neither_an_error_nor_a_run(ended):
    given = ended({"a": ALL})
    records.write(given.storage, given.parameters, "b", Record("setup", State.SKIPPED, "no data"))
    gather(given, ASKED)
    assert [row["state"] for row in rows(given, "kpis.csv")] == ["done", "skipped"]
    assert rows(given, "error_logs.csv") == []
    assert given.storage.names(given.storage.path("pipeline_outputs", "smoke", "individual", "one", "runs")) == ["a"]


def test_what_fails_before_the_scopes_is_one_error_and_all_scopes_failed(work):
    given = work()
    records.write(given.storage, given.parameters, "_run", Record("setup_extraction", State.FAILED, "no such use case"))
    with pytest.raises(UserError, match="smoke in setup_extraction"):
        gather(given, ASKED)
    (row,) = rows(given, "error_logs.csv")
    assert (row["run_id"], row["error_msg"]) == ("smoke", "no such use case")
    assert [row["state"] for row in rows(given, "kpis.csv")] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("parameters", "place"),
    [
        ({"use_case": "../../etc"}, ("unknown", "individual", "one")),
        ({"use_case": "smok"}, ("unknown", "individual", "one")),
        ({"run_type": "../x"}, ("smoke", "unknown", "one")),
    ],
)
def test_a_run_whose_parameters_mean_nothing_still_gets_its_error_log(work, parameters, place):
    given = work(**parameters)
    records.write(given.storage, given.parameters, "_run", Record("setup_extraction", State.FAILED, "why"))
    with pytest.raises(UserError):
        gather(given, {"data_scopes": "no json", "debug": "no"})
    assert [row["error_msg"] for row in rows(given, "error_logs.csv", *place)] == ["why"]
    assert rows(given, "kpis.csv", *place) == []


def test_a_simulation_never_becomes_the_latest(ended):
    given = ended({"a": ALL, "b": ALL}, run_type="simulation")
    gather(given, ASKED)
    assert latest(given) is None
    assert len(rows(given, "kpis.csv")) == 2


@pytest.mark.parametrize(("run_type", "kept"), [("individual", True), ("simulation", True), ("recurring", False)])
def test_debugging_keeps_the_temporary_area_but_of_a_recurring_run(ended, run_type, kept):
    given = ended({"a": ALL, "b": ALL}, run_type=run_type)
    gather(given, ASKED | {"debug": "yes"})
    assert bool(given.storage.listed(given.storage.path("pipeline_tmp", "one"))) == kept


def test_the_files_of_another_pipeline_run_are_left_alone(ended):
    other, given = ended({"a": 3}, kf_run_id="two"), ended({"a": ALL, "b": ALL})
    before = other.storage.listed(other.storage.path("pipeline_tmp", "two"))
    gather(given, ASKED)
    assert before
    assert other.storage.listed(other.storage.path("pipeline_tmp", "two")) == before


def test_gathering_again_gives_the_same_outputs(ended):
    given = ended({"a": ALL, "b": ALL})
    gather(given, ASKED | {"debug": "yes"})
    place = given.storage.path("pipeline_outputs", "smoke", "individual", "one")
    before = given.storage.manifest(place)
    gather(given, ASKED)
    assert given.storage.manifest(place) == before


@pytest.mark.parametrize("done", [{"a": ALL, "b": ALL}, {"a": ALL, "b": 2}])
def test_gathering_again_after_the_clean_up_changes_nothing_and_ends_alike(ended, done):
    given = ended(done)
    ends = []
    for _ in range(2):
        try:
            ends.append(gather(given, ASKED))
        except UserError as error:
            ends.append(str(error))
        ends.append(given.storage.manifest(given.place("outputs")))
    assert ends[:2] == ends[2:]
    assert bool(ends[0]) == (done["b"] < ALL)
