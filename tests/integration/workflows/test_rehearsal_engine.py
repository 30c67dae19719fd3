"""The rehearsal takes, orders and names runs as GitHub documents it, so that what it says of the real files counts."""

import pytest
from rehearsal.github import RefusedError

ON = "on: {workflow_dispatch: {}}"


def said(job, number=-1):
    return job.steps[number].log.strip()


def form(inputs):
    return f"on: {{workflow_dispatch: {{inputs: {inputs}}}}}"


JOBS = """  last:
    needs: [first, second]
    runs-on: ubuntu-latest
    steps: [{run: "echo ${{ needs.first.outputs.it }} ${{ needs.second.result }}"}]
  first:
    runs-on: ubuntu-latest
    outputs: {it: "${{ steps.a.outputs.it }}"}
    steps: [{run: "echo it=42 >> $GITHUB_OUTPUT; exit %d", id: a}]
  second:
    needs: first
    %s
    runs-on: ubuntu-latest
    steps: [{run: echo second}]
  lawyer:
    needs: last
    if: failure()
    runs-on: ubuntu-latest
    steps: [{run: echo lawyer}]
"""


def test_jobs_wait_for_those_they_need_and_get_their_outputs(toy):
    run = toy(JOBS % (0, "env: {}")).dispatch("toy.yaml", {})
    assert list(run.jobs) == ["first", "second", "last", "lawyer"]
    assert said(run.jobs["last"]) == "42 success"
    assert (run.jobs["lawyer"].result, run.conclusion) == ("skipped", "success")


def test_a_failed_job_skips_all_that_need_it(toy):
    run = toy(JOBS % (1, "if: always()")).dispatch("toy.yaml", {})
    assert {name: job.result for name, job in run.jobs.items()} == {
        "first": "failure",
        "second": "success",
        "last": "skipped",
        "lawyer": "success",
    }
    assert run.conclusion == "failure"


def test_a_skipped_job_skips_all_that_need_it(toy):
    run = toy(JOBS % (0, "if: ${{ false }}")).dispatch("toy.yaml", {})
    assert [job.result for job in run.jobs.values()] == ["success", "skipped", "skipped", "skipped"]
    assert run.conclusion == "success"


# From "Evaluate expressions in workflows and actions" in GitHub's documentation.
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("null == 0", True),
        ("true == 1", True),
        ("'' == 0", True),
        ("'abc' == 0", False),
        ("'1' == 1", True),
        ("'ABC' == 'abc'", True),
        ("fromJSON('[]') == 0", False),
        ("'0x10' == 16", True),
        ("0 || 'or'", "or"),
        ("'' && 'and'", ""),
        ("'false' && 'a text is true'", "a text is true"),
        ("format('{0} {{1}} {1}', 'a', 1.50)", "a {1} 1.5"),
        ("format('''{0}'' ''''', 'a')", "'a' ''"),
        ("contains('Hello', 'ell')", True),
        ("contains(fromJSON('[\"a\"]'), 'A')", True),
        ("startsWith('Hello', 'he')", True),
        ("join(fromJSON('[1,2]'), '-')", "1-2"),
        ("github.event.no.such.thing", None),
        ("!inputs.empty", True),
        ("inputs['NAME']", "Ω"),
        ("github['event'].pull_request.labels.*.name", ["a", "b"]),
    ],
)
def test_expressions_are_coerced_as_documented(expression, value, engine):
    event = {"pull_request": {"labels": [{"name": "a"}, {"name": "b"}]}}
    contexts = {"github": {"event": event}, "inputs": {"empty": "", "name": "Ω"}}
    assert engine.ask("evaluate", tree={"$": expression}, contexts=contexts) == value


FORM = form(
    "{must: {required: true}, kind: {type: choice, options: [a, b]}, really: {type: boolean},"
    " much: {type: number, default: 0.50}, free: {required: true, default: words}}"
)


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({}, "Required input 'must' not provided"),
        ({"must": "x", "kind": "c"}, "Provided value 'c' for input 'kind' not in the list"),
        ({"must": "x", "really": "yes"}, "'really' is not a boolean"),
        ({"must": "x", "most": "y"}, r"Unexpected inputs provided: \['most'\]"),
        ({"must": "x" * 65_536}, "inputs are too large"),
    ],
)
def test_github_refuses_inputs_that_the_form_does_not_know(inputs, why, toy):
    github = toy("  one: {runs-on: ubuntu-latest, steps: [{run: touch ran}]}\n", FORM)
    before = github.last_run
    with pytest.raises(RefusedError, match=why):
        github.dispatch("toy.yaml", inputs)
    assert github.last_run == before, "nothing ran"


def test_a_boolean_stays_one_and_every_other_input_is_text(perform):
    steps = "    - run: echo '${{ toJSON(inputs) }}' ${{ github.event.inputs.must }}\n"
    assert said(perform(steps, FORM, inputs={"must": "1e-3", "really": "true"})).split() == [
        *("{", '"must":', '"1e-3",', '"kind":', '"a",', '"really":', "true,", '"much":', '"0.5",'),
        *('"free":', '"words"', "}", "1e-3"),
    ]


def test_a_run_is_named_by_its_inputs(toy):
    top = f"name: Toy\nrun-name: 'By ${{{{ inputs.must }}}}'\n{FORM}"
    run = toy("  one: {runs-on: x, steps: [{run: echo}]}\n", top).dispatch("toy.yaml", {"must": "$(me)"})
    assert run.name == "By $(me)"


def test_text_of_an_input_inside_run_is_code(perform):
    """What this project's workflows must never do; the rehearsal would show it."""
    job = perform("    - run: echo ${{ inputs.must }}\n", FORM, inputs={"must": "$(echo pwned)"})
    assert said(job) == "pwned"


@pytest.mark.parametrize(
    "jobs",
    [
        "  one: {runs-on: x, steps: [{uses: 'actions/unknown@v1'}]}\n",
        "  one: {runs-on: x, container: alpine, steps: [{run: echo}]}\n",
        "  one: {runs-on: x, steps: [{run: echo, if: hashFiles('a') == ''}]}\n",
        "  one: {runs-on: x, strategy: {matrix: {a: [1]}}, steps: [{run: echo}]}\n",
    ],
)
def test_what_the_rehearsal_does_not_know_is_an_error_and_not_a_skip(jobs, toy):
    with pytest.raises((LookupError, NotImplementedError, ValueError)):
        toy(jobs).dispatch("toy.yaml", {})


@pytest.mark.parametrize(
    ("jobs", "why"),
    [
        ("  one: {runs-on: x, steps: [{run: echo, wiht: {}}]}\n", "Unexpected value 'wiht'"),
        ("  one: {runs-on: x, needs: two, steps: [{run: echo}]}\n", "at least one job with no dependencies"),
        ("  one: {runs-on: x, steps: [{run: echo, if: secrets.A != ''}]}\n", "Unrecognized named-value: 'secrets'"),
        ("  one: {runs-on: x, steps: [{run: 'echo ${{ oops( }}'}]}\n", "Unexpected end of expression"),
        ("  one: {steps: [{run: echo}]}\n", "Required property is missing: runs-on"),
    ],
)
def test_a_broken_workflow_file_starts_nothing(jobs, why, toy):
    with pytest.raises(RefusedError, match=why):
        toy(jobs).dispatch("toy.yaml", {})


def test_the_language_service_finds_mistakes_in_expressions(engine):
    text = f"{ON}\njobs: {{one: {{runs-on: x, steps: [{{run: 'echo ${{{{ steps.none.outputs.a }}}}'}}]}}}}\n"
    assert engine.ask("check", name="toy.yaml", text=text) == ["Context access might be invalid: none"]
    assert engine.ask("check", name="toy.yaml", text=text.replace("steps.none.outputs.a", "github.sha")) == []
