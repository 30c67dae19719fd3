"""Every workflow file as GitHub reads it: its editor has nothing to say, and who may start what with which rights."""

import fnmatch
import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / ".github" / "workflows"
NAMES = sorted(path.name for path in FOLDER.iterdir())
TRAINING = "training.yaml"
DEPLOY = "deploy-pipeline.yaml"
INPUTS = {
    **dict.fromkeys(("dataset_folder", "model", "learning_rate", "momentum", "num_epochs", "num_workers"), ""),
    "experiment_name": "pets",
    "run_name": "first",
    "batch_size": "",
    "pretrained_model": "",
    "overrides": "",
    "runner": "ubuntu-24.04",
    "save_results": False,
}
PULL_REQUEST = {"pull_request": {"head": {"ref": "patch", "repo": {"fork": True}}, "base": {"ref": "main"}}}


@pytest.fixture(scope="module")
def trees(engine):
    """{name: what GitHub's parser makes of the file}."""
    answers = {name: engine.ask("parse", name=name, text=(FOLDER / name).read_text()) for name in NAMES}
    assert {name: answer["errors"] for name, answer in answers.items()} == {name: [] for name in NAMES}
    return {name: answer["tree"] for name, answer in answers.items()}


def test_github_s_packages_are_locked_by_their_content_and_to_no_registry():
    packages = json.loads((Path(__file__).parent / "rehearsal/package-lock.json").read_text())["packages"]
    del packages[""]
    assert {"node_modules/@actions/workflow-parser", "node_modules/@actions/languageservice"} <= packages.keys()
    assert all(each["integrity"].startswith("sha512-") and "resolved" not in each for each in packages.values())


@pytest.mark.parametrize("name", NAMES)
def test_github_s_language_service_reports_nothing(name, engine):
    assert engine.ask("check", name=name, text=(FOLDER / name).read_text()) == []


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("steps.request.outputs.run_folder", "steps.requests.outputs.run_folder", "Context access might be invalid"),
        ("needs.train.result", "needs.training.result", "Context access might be invalid"),
        ("inputs.save_results &&", "inputs.save_result &&", "Context access might be invalid"),
        ("needs: train", "needs: training", "depends on unknown job"),
        ("contents: read # the", "contents: reads # the", "Unexpected value 'reads'"),
        ("timeout-minutes: 30", "timeout: 30", "Unexpected value 'timeout'"),
        ("toJSON(inputs)", "toJSON(inputs", "Unexpected symbol: 'EOF'"),
        ("if: always() && steps.train", "if: allways() && steps.train", "Unrecognized function"),
    ],
)
def test_a_mistake_in_the_training_workflow_would_be_reported(before, after, message, engine):
    text = (FOLDER / TRAINING).read_text()
    assert before in text
    found = engine.ask("check", name=TRAINING, text=text.replace(before, after, 1))
    assert any(message in each for each in found), found


@pytest.fixture(scope="module")
def call():
    """The workflow in docs/workflows.md that calls the training."""
    page = (FOLDER.parents[1] / "docs" / "workflows.md").read_text()
    (block,) = [text for text in re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE) if TRAINING in text]
    return f"on: workflow_dispatch\n{block}"


def test_the_documented_call_of_the_training_is_one_that_github_accepts(call, engine):
    called = {f".github/workflows/{TRAINING}": (FOLDER / TRAINING).read_text()}
    assert engine.ask("check", name="nightly.yaml", text=call, called=called) == []
    wrong = engine.ask("check", name="nightly.yaml", text=call.replace("run_name:", "run_nam:"), called=called)
    assert sorted(each.split()[0] for each in wrong) == ["Input", "Invalid"]


def test_the_documented_call_grants_just_what_the_training_s_jobs_ask_for(call, engine, trees):
    (caller,) = engine.ask("parse", name="nightly.yaml", text=call)["tree"]["jobs"].values()
    asked = [right for job in trees[TRAINING]["jobs"].values() for right in job["permissions"].items()]
    writes = dict(asked) | {name: level for name, level in asked if level == "write"}
    assert caller["permissions"] == writes


def starts(trees, event, ref, changed=("README.md",)):
    """The workflows that GitHub starts on an event at a branch or a tag, where these files have changed."""
    _, kind, name = ref.split("/", 2)
    kind = {"heads": "branches", "tags": "tags"}[kind]
    found = set()
    for workflow, tree in trees.items():
        on = tree["on"] if isinstance(tree["on"], dict) else dict.fromkeys(tree["on"])
        about = on.get(event) or {}
        filters = {key: each for key, each in about.items() if key in {"branches", "tags"}}
        passes = not filters or any(fnmatch.fnmatchcase(name, pattern) for pattern in filters.get(kind, []))
        # fnmatch's * takes slashes too, as GitHub's ** does; here no other pattern stands before a slash.
        touched = [
            path for path in changed for pattern in about.get("paths", ["*"]) if fnmatch.fnmatchcase(path, pattern)
        ]
        found |= {workflow} if event in on and passes and touched else set()
    return found


@pytest.mark.parametrize(
    ("event", "ref", "expected"),
    [
        ("push", "refs/heads/main", {"ci.yaml", "pre-commit.yaml"}),
        ("push", "refs/heads/feature", {"pre-commit.yaml"}),
        ("push", "refs/tags/v1.2.3", {"image.yaml", "pre-commit.yaml"}),
        ("push", "refs/tags/other", {"pre-commit.yaml"}),
        ("push", "refs/tags/run-example", {"experiments.yaml", "pre-commit.yaml"}),
        ("push", "refs/tags/run-examples-7", {"experiments.yaml", "pre-commit.yaml"}),
        ("push", "refs/heads/run-example-1", {"pre-commit.yaml"}),
        ("pull_request", "refs/heads/main", {"ci.yaml", "pre-commit.yaml"}),
        ("workflow_dispatch", "refs/heads/main", {"ci.yaml", "experiments.yaml", "image.yaml", DEPLOY, TRAINING}),
        ("workflow_call", "refs/heads/main", {TRAINING}),
        *((event, "refs/heads/main", set()) for event in ("pull_request_target", "workflow_run", "issue_comment")),
    ],
)
def test_an_event_starts_the_workflows_it_should_and_no_other(event, ref, expected, trees):
    assert starts(trees, event, ref) == expected


@pytest.mark.parametrize(
    ("path", "deploys"),
    [
        ("image_classifier/pipelines/graph.py", True),
        ("image_classifier/pipelines/config/wine_quality.yaml", True),
        ("requirements/requirements-kubeflow.txt", True),
        ("requirements/requirements-prod.txt", True),
        (".github/workflows/deploy-pipeline.yaml", True),
        ("image_classifier/training/loop.py", False),
        ("requirements/requirements-dev.txt", False),
        ("tests/unit/pipelines/test_graph.py", False),
    ],
)
def test_main_s_pipeline_is_deployed_when_a_push_touches_it(path, deploys, trees):
    files = ["README.md", path]
    assert (DEPLOY in starts(trees, "push", "refs/heads/main", files)) is deploys
    assert DEPLOY not in starts(trees, "push", "refs/heads/feature", files) | starts(
        trees, "pull_request", "refs/heads/main", files
    )


@pytest.mark.parametrize(
    ("event", "host", "runs"),
    [("push", "https://kfp", True), ("push", "", False), ("workflow_dispatch", "", True)],
)
def test_without_a_server_a_push_deploys_nothing_and_fails_nothing(event, host, runs, engine, trees):
    contexts = {"github": {"event_name": event}, "vars": {"KFP_HOST": host} if host else {}}
    (job,) = trees[DEPLOY]["jobs"].values()
    assert engine.ask("evaluate", tree=job["if"], contexts=contexts, status="success") is runs


def test_one_step_of_the_deployment_knows_secrets_and_nothing_may_write(trees):
    (job,) = trees[DEPLOY]["jobs"].values()
    assert [step["name"] for step in job["steps"] if "secrets" in json.dumps(step)] == ["Compile and upload"]
    assert set(job["permissions"].values()) == {"read"}
    assert trees[DEPLOY]["concurrency"]["cancel-in-progress"] is False


def test_what_a_pull_request_starts_may_write_nothing_and_knows_no_secret(trees):
    for name in starts(trees, "pull_request", "refs/heads/main"):
        tree = trees[name]
        assert tree["permissions"] == {}, name
        for job in tree["jobs"].values():
            assert set(job["permissions"].values()) == {"read"}, name
            assert job["runs-on"] == "ubuntu-24.04", name
        assert "secrets." not in (FOLDER / name).read_text(), name


def test_only_a_version_s_tag_publishes_and_only_the_last_job_can_sign(trees):
    jobs = trees["image.yaml"]["jobs"]
    allowed = {name: job["permissions"].items() for name, job in jobs.items()}
    writes = {name: {key for key, level in each if level == "write"} for name, each in allowed.items()}
    assert writes == {"publish": {"packages"}, "attest": {"id-token", "attestations"}}
    assert not any("run" in step for step in jobs["attest"]["steps"])


def evaluated(engine, trees, name, key, event_name="workflow_dispatch", **inputs):
    """One expression of the training workflow's head or of one of its jobs, on an event."""
    github = {"event_name": event_name, "ref": "refs/heads/main"}
    contexts = {"github": github, "inputs": INPUTS | inputs, "needs": {"train": {"result": "success", "outputs": {}}}}
    tree = trees[TRAINING] if name is None else trees[TRAINING]["jobs"][name]
    return engine.ask("evaluate", tree=tree[key], contexts=contexts, status="success")


@pytest.mark.parametrize(
    ("event", "runner", "label"),
    [
        ("workflow_dispatch", "ubuntu-24.04", "ubuntu-24.04"),
        ("workflow_dispatch", "self-hosted-gpu", "self-hosted-gpu"),
        ("schedule", "self-hosted-gpu", "self-hosted-gpu"),
        ("push", "self-hosted-gpu", "self-hosted-gpu"),
        ("pull_request", "self-hosted-gpu", "ubuntu-24.04"),
        ("pull_request_target", "self-hosted-gpu", "ubuntu-24.04"),
        ("issue_comment", "self-hosted-gpu", "ubuntu-24.04"),
        ("workflow_dispatch", "anything else", "ubuntu-24.04"),
    ],
)
def test_our_own_machines_serve_trusted_events_alone(event, runner, label, engine, trees):
    assert evaluated(engine, trees, "train", "runs-on", event, runner=runner) == label


@pytest.mark.parametrize(
    ("event", "asked", "saves"),
    [
        ("workflow_dispatch", True, True),
        ("workflow_dispatch", False, False),
        ("schedule", True, True),
        ("pull_request", True, False),
        ("pull_request_target", True, False),
    ],
)
def test_results_are_saved_for_trusted_events_that_ask_for_it(event, asked, saves, engine, trees):
    assert evaluated(engine, trees, "save", "if", event, save_results=asked) is saves


def test_two_trainings_of_one_run_wait_for_each_other_and_others_do_not(engine, trees):
    groups = [evaluated(engine, trees, None, "concurrency", run_name=name) for name in ("a", "a", "b")]
    assert groups[0] == groups[1] != groups[2]
    assert groups[0]["cancel-in-progress"] is False


@pytest.mark.parametrize(
    ("result", "artifact", "saves"),
    [("success", "7", True), ("failure", "7", True), ("cancelled", "7", True), ("failure", "", False)],
)
def test_what_the_pipelines_left_is_committed_even_if_one_of_them_failed(result, artifact, saves, engine, trees):
    needs = {"run": {"result": result, "outputs": {"artifact_id": artifact}}}
    job = trees["experiments.yaml"]["jobs"]["save"]
    assert engine.ask("evaluate", tree=job["if"], contexts={"needs": needs}, status="failure") is saves


def test_tags_do_not_wait_for_each_other_since_github_would_drop_all_but_one(engine, trees):
    tree = trees["experiments.yaml"]["concurrency"]
    groups = [
        engine.ask("evaluate", tree=tree, contexts={"github": {"ref": f"refs/tags/{name}"}, "inputs": {}})
        for name in ("run-example-1", "run-example-2", "run-example-1")
    ]
    assert groups[0] == groups[2] != groups[1]
    assert groups[0]["cancel-in-progress"] is False


@pytest.mark.parametrize(("event", "cancels"), [("pull_request", True), ("push", False)])
def test_a_newer_push_to_a_pull_request_replaces_its_tests_and_main_s_are_finished(event, cancels, engine, trees):
    contexts = {"github": {"event_name": event, "ref": "refs/heads/main"}}
    found = engine.ask("evaluate", tree=trees["ci.yaml"]["concurrency"], contexts=contexts)
    assert found["cancel-in-progress"] is cancels


def test_a_pull_request_from_a_fork_that_calls_the_training_gets_no_machine_of_ours(rehearsed):
    asked = INPUTS | {"runner": "self-hosted-gpu", "dataset_folder": "digits", "model": "cnn", "save_results": True}
    run = rehearsed.run(TRAINING, "pull_request", PULL_REQUEST, inputs=asked)
    train = run.jobs["train"]
    assert train.labels == "ubuntu-24.04"
    assert (train.steps[1].outcome, run.jobs["save"].result) == ("failure", "skipped")
    assert "self-hosted-gpu was asked for by pull_request" in train.steps[1].log
    assert rehearsed.called() == []
