import json

import pytest

from image_classifier.pipelines import records, step
from image_classifier.pipelines.records import Record, State


@pytest.fixture
def run(storage, tmp_path):
    """run(step, outputs, **inputs) is the exit code and what was handed on."""

    def ended(name, outputs=(), **inputs):
        common = {"root": storage.root, "domain": "test_data", "use_case": "smoke", "run_type": "individual"}
        words = [f"--{flag}={value}" for flag, value in (common | {"kf_run_id": "one"} | inputs).items()]
        paths = {flag: tmp_path / "handed" / flag for flag in outputs}
        code = step.main([name, *words, *(f"--{flag}_file={path}" for flag, path in paths.items())])
        return code, {flag: path.read_text() for flag, path in paths.items() if path.exists()}

    return ended


@pytest.fixture
def kept(work):
    """kept() are the records of the pipeline run, by scope."""
    return lambda: records.read(work().storage, work().parameters)


def test_a_step_hands_on_through_files_and_leaves_its_record(run, kept):
    code, handed = run("setup_extraction", ("Output", "extract"), data_scopes='["a"]')
    assert (code, json.loads(handed["Output"]), handed["extract"]) == (0, ["a"], "no")
    assert kept() == {"_run": [Record("setup_extraction", State.DONE)]}


def test_a_step_without_data_is_skipped_and_no_failure(run, kept, capsys):
    code, handed = run("setup", ("Output", "data"), scope="a")
    assert (code, handed) == (0, {"Output": "skipped", "data": ""})
    assert kept()["a"][0].state == State.SKIPPED
    assert "a is skipped: there are no data" in capsys.readouterr().err


@pytest.mark.parametrize("end", [State.SKIPPED, State.FAILED])
def test_a_step_after_the_end_of_its_scope_does_nothing(run, kept, work, capsys, end):
    given = work("a")
    records.write(given.storage, given.parameters, "a", Record("setup", end))
    assert run("train", ("run",), scope="a", store="/nowhere") == (0, {"run": ""})
    assert kept()["a"] == [Record("setup", end)]
    assert f"nothing to do: a {end} in setup" in capsys.readouterr().err


def test_a_step_that_is_tried_again_does_its_work_again(run, kept, work):
    given = work("a")
    records.write(given.storage, given.parameters, "a", Record("setup", State.FAILED))
    given.storage.write(given.storage.path("pipeline_input", "smoke", "a", "a.csv"), b"width,height,kind\n1,2,x\n")
    assert run("setup", ("Output",), scope="a") == (0, {"Output": "ready"})
    assert kept()["a"] == [Record("setup", State.DONE)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"use_case": "smoks"}, "did you mean smoke"),
        ({"run_type": "once"}, "run_type 'once'"),
        ({"data_scopes": "a"}, "is not JSON"),
    ],
)
def test_a_refusal_is_said_and_kept(run, kept, capsys, wrong, said):
    code, _ = run("setup_extraction", **{"data_scopes": '["a"]'} | wrong)
    assert code == 2
    assert said in capsys.readouterr().err
    (record,) = kept()["_run"]
    assert record.state == State.FAILED
    assert said in record.error_msg


@pytest.mark.parametrize(
    "wrong", [{"kf_run_id": "../x"}, {"domain": "x"}, {"root": "ftp://x"}, {"scope": "../x"}, {"scope": "_run"}]
)
def test_what_names_no_place_is_refused_and_writes_nothing(run, storage, wrong, tmp_path, capsys):
    assert run("setup", **{"scope": "a"} | wrong)[0] == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert list(tmp_path.rglob("*.json")) == []


def test_an_unknown_step_is_refused_with_the_nearest(capsys):
    assert step.main(["trian"]) == 2
    assert "did you mean train?" in capsys.readouterr().err


def test_a_bug_is_kept_with_its_type(run, kept, monkeypatch):
    monkeypatch.setenv("DB_PASS", "canary-pass")

    def broken(work, inputs):
        raise ZeroDivisionError("canary-pass")

    monkeypatch.setitem(step._DO, "setup", broken)
    with pytest.raises(ZeroDivisionError):
        run("setup", scope="a")
    assert kept()["a"] == [Record("setup", State.FAILED, "ZeroDivisionError: ***")]
