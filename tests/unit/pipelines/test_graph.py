"""The compiled graph, read as YAML: what a backend and KFP's local runner both need."""

import itertools
import re
import sys

import pytest
import yaml

from image_classifier.errors import UserError
from image_classifier.pipelines import graph, interface, kubeflow, step

SECRETS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def words(*more):
    return kubeflow._parser().parse_args(["--type", "compile", *more])


@pytest.fixture(scope="module")
def documents():
    """pipeline.yaml: the pipeline, and what is Kubernetes' own."""
    pytest.importorskip("kfp")
    text = kubeflow.package(words("--image", "here:1", "--extraction_image", "spark:2", "--secret", "keys"))
    return list(yaml.safe_load_all(text))


@pytest.fixture(scope="module")
def compiled(documents):
    return documents[0]


@pytest.fixture(scope="module")
def dags(compiled):
    """{the name of each part of the graph: its tasks}."""
    parts = {"root": compiled["root"]} | compiled["components"]
    return {name: part["dag"]["tasks"] for name, part in parts.items() if "dag" in part}


def tasks(dags):
    return {name: task for part in dags.values() for name, task in part.items()}


def test_every_step_is_in_the_graph_once(dags):
    names = [name for part in dags.values() for name in part]
    assert {step.replace("_", "-") for step in interface.STEPS} <= set(names)
    assert len(set(names)) == len(names)


def test_the_steps_of_a_scope_follow_one_another(dags):
    order = ["preprocessing", "feature-engineering", "train", "evaluate", "set-mining"]
    (inside,) = (part for part in dags.values() if "train" in part)
    assert set(inside) == set(order)
    for before, after in itertools.pairwise(order):
        assert before in inside[after]["dependentTasks"]


def test_the_last_step_waits_for_one_task_that_is_no_loop_and_runs_whatever_happened(dags):
    last = dags["root"]["gather"]
    assert last["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    (before,) = last["dependentTasks"]
    assert "parameterIterator" not in dags["root"][before]
    assert set(dags["root"]) == {"gather", before}


def test_nothing_follows_what_may_be_left_out(dags):
    for part in dags.values():
        maybe = {name for name, task in part.items() if "condition" in task.get("triggerPolicy", {})}
        followed = {name for task in part.values() for name in task.get("dependentTasks", [])}
        assert maybe.isdisjoint(followed)


def test_the_loop_has_no_limit_and_waits_for_the_extraction(dags):
    (loop,) = (task for task in tasks(dags).values() if "parameterIterator" in task)
    assert "iteratorPolicy" not in loop
    assert loop["dependentTasks"] == ["extraction", "setup-extraction"]


def test_each_condition_and_the_loop_read_what_the_local_runner_finds(dags):
    conditions = [task["triggerPolicy"]["condition"] for task in tasks(dags).values() if "condition" in str(task)]
    named = [re.search(r"\['pipelinechannel--(.*?)'\]", text)[1] for text in conditions if "==" in text]
    assert sorted(named) == ["extract", "setup-Output"]


def test_no_task_is_taken_from_the_cache_and_each_knows_its_run(dags, compiled):
    for name, task in tasks(dags).items():
        if "executorLabel" in compiled["components"][task["componentRef"]["name"]]:
            assert task["cachingOptions"] == {}, name
            constant = task["inputs"]["parameters"]["kf_run_id"]["runtimeValue"]["constant"]
            assert constant == "{{$.pipeline_job_uuid}}", name


def test_every_parameter_of_the_form_is_a_text_with_a_default(compiled):
    found = compiled["root"]["inputDefinitions"]["parameters"]
    assert {about["parameterType"] for about in found.values()} == {"STRING"}
    assert found["data_scopes"]["defaultValue"] == '["red", "white"]'
    assert set(found) == {"root", "domain", "use_case", "run_type", "data_scopes", "debug"}


@pytest.mark.parametrize("name", interface.STEPS)
def test_each_container_gives_its_step_what_it_takes(compiled, name):
    container = compiled["deploymentSpec"]["executors"][f"exec-{name.replace('_', '-')}"]["container"]
    assert container["image"] == ("spark:2" if name == "extract" else "here:1")
    assert container["command"] == ["python", "-m", "image_classifier.pipelines.step", name]
    filled = [re.sub(r"\{\{.*\['(.*?)'\].*\}\}", r"-\1", text) for text in container["args"]]
    given = vars(step._arguments([name, *filled]))
    taken = {*interface.COMMON, *interface.STEPS[name].inputs}
    assert {flag: given[flag] for flag in taken} == {flag: f"-{flag}" for flag in taken}
    handed = {f"{flag}_file": f"-{flag}" for flag in interface.STEPS[name].outputs}
    assert {flag: str(given[flag]) for flag in handed} == handed


def test_secrets_are_named_and_never_written(documents):
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert len(executors) == len(interface.STEPS)
    for name, about in executors.items():
        must, may = about["secretAsEnv"]
        assert {each["envVar"] for each in must["keyToEnv"]} == SECRETS
        assert (must["optional"], may["optional"]) == (False, True)
        assert must["secretNameParameter"] == {"runtimeValue": {"constant": "keys"}}
        assert ("DB_PASS" in {each["envVar"] for each in may["keyToEnv"]}) == (name == "exec-extract")


def test_without_a_secret_there_is_nothing_of_kubernetes():
    pytest.importorskip("kfp")
    assert len(list(yaml.safe_load_all(kubeflow.package(words())))) == 1


def test_without_kfp_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "kfp.compiler", None)
    monkeypatch.setitem(sys.modules, "kfp", None)
    with pytest.raises(UserError, match=r"kfp is not installed \(pip install 'image_classifier\[kubeflow\]'\)"):
        graph.kfp()
