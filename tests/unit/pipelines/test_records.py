import pytest

from image_classifier.pipelines import records
from image_classifier.pipelines.records import SCOPE_STEPS, Record, State

DONE = [Record(step, State.DONE) for step in SCOPE_STEPS]


def test_records_come_back_by_scope_in_the_order_of_the_steps(work):
    given = work()
    for record in (DONE[3], DONE[0], DONE[1]):
        records.write(given.storage, given.parameters, "good", record)
    records.write(given.storage, given.parameters, "_run", Record("setup_extraction", State.FAILED, "why"))
    assert records.read(given.storage, given.parameters) == {
        "good": [DONE[0], DONE[1], DONE[3]],
        "_run": [Record("setup_extraction", State.FAILED, "why")],
    }


def test_another_pipeline_run_has_other_records(work):
    given = work()
    records.write(given.storage, given.parameters, "good", DONE[0])
    assert records.read(given.storage, work(kf_run_id="two").parameters) == {}


def test_a_scope_is_done_when_its_last_step_is():
    assert records.outcome(DONE).state == State.DONE


@pytest.mark.parametrize("state", [State.SKIPPED, State.FAILED])
def test_a_scope_ends_as_the_step_that_ended_it(state):
    end = Record("train", state, "why")
    assert records.outcome([*DONE[:3], end]) == end
    assert records.ended([*DONE[:3], end]) == end


@pytest.mark.parametrize("count", range(len(DONE)))
def test_a_scope_that_stops_without_a_word_has_failed_in_its_next_step(count):
    found = records.outcome(DONE[:count])
    assert (found.step, found.state) == (SCOPE_STEPS[count], State.FAILED)
    assert "without a word" in found.error_msg


def test_a_step_before_the_scopes_that_left_no_word_has_failed():
    first = Record("setup_extraction", State.DONE)
    assert records.of_the_run({"_run": [first]}, ["setup_extraction"]) is None
    assert records.of_the_run({"_run": [first]}, ["setup_extraction", "extract"]).step == "extract"
    assert records.of_the_run({}, ["setup_extraction"]).step == "setup_extraction"
    failed = Record("setup_extraction", State.FAILED, "why")
    assert records.of_the_run({"_run": [failed]}, ["setup_extraction"]) == failed
