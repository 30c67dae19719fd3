"""training.yaml with hostile text in every field of its form: refused before anything is built, without a trace."""

import itertools
import shutil
from pathlib import Path

import pytest
from rehearsal.github import RefusedError

WORKFLOW = "training.yaml"
FIRST_STEPS = ["Check out the repository", "Check what was asked for"]
SOUND = {"experiment_name": "pets", "run_name": "first", "dataset_folder": "digits", "model": "cnn", "num_epochs": "1"}
TEXTS = ["experiment_name", "run_name", "dataset_folder", "model", "learning_rate", "momentum", "num_epochs"]
TEXTS += ["num_workers", "batch_size", "pretrained_model", "overrides"]
HOSTILE = {
    "single quote": "a'; touch {trace}; '",
    "double quote": 'a"; touch {trace}; "',
    "substitution": "$(touch {trace})",
    "backticks": "`touch {trace}`",
    "new line": "a\ntouch {trace}\n",
    "semicolon": "1;touch {trace}",
    "and": "1&&touch {trace}",
    "parent folders": "../../../{trace}",
    "absolute path": "{trace}",
    "expression": "${{{{ github.token }}}}",
    "secret": "${{{{ secrets.DB_PASS }}}}",
    "leading dashes": "--resume",
    "docker option": "--mount=type=bind,source=/,target=/host",
    "option after a space": "1 --volume=/:/host",
    "forged output": "1\nimage=evil\nrun_folder=x/y",
    "workflow command": "1\n::set-output name=image::evil",
    "variable": "$HOME",
    "glob": "*",
    "pipe": "1|tee {trace}",
    "redirection": "1>{trace}",
    "escape": "\x1b[2Jcleared",
    "zero byte in words": "a\\x00b%00c",
    "reversed text": "\u202etac",
    "full-width quote": "\uff07; touch {trace}",
    "very long": "a" * 60_000,
}
# What the issue of every shell script is, in every field; the rest once each, in the fields by turns.
EVERYWHERE = ["single quote", "double quote", "substitution", "backticks", "new line", "semicolon", "parent folders"]
EVERYWHERE += ["expression"]
RARE = [kind for kind in HOSTILE if kind not in EVERYWHERE]


def traces(github, trace):
    """What a successful injection would leave: a file of that name, a container, a request, an artifact, a branch."""
    folders = [github.folder, Path("/tmp"), Path.cwd(), Path.home()]
    found = [path for folder in folders for path in folder.glob(f"*{trace.name}*")]
    found += [path for path in github.folder.rglob("*") if trace.name in path.name]
    return [*found, *github.called(), *github.api.asked, *github.api.artifacts, *github.git("branch").split()[2:]]


def refused(github, form, hostile=(), event="workflow_dispatch"):
    """The refusal of a form, which left nothing: GitHub's own, or what the first script said."""
    trace = github.folder / "PWNED"
    form = {name: value.format(trace=trace) if name in hostile else value for name, value in form.items()}
    try:
        run = github.dispatch(WORKFLOW, form, event=event)
    except RefusedError as by_github:
        return str(by_github)
    assert traces(github, trace) == []
    steps = run.jobs["train"].steps
    assert [step.name for step in steps if step.outcome != "skipped"] == FIRST_STEPS
    assert (run.conclusion, steps[1].outcome, run.jobs["save"].result) == ("failure", "failure", "skipped")
    assert steps[1].log.startswith("error: ")
    assert github.api.token not in steps[1].log
    assert github.secrets["DB_PASS"] not in steps[1].log
    shutil.rmtree(run.jobs["train"].root)
    return steps[1].log


@pytest.mark.parametrize(("field", "kind"), [*itertools.product(TEXTS, EVERYWHERE), *zip(itertools.cycle(TEXTS), RARE)])
def test_hostile_text_is_refused_in_every_field(field, kind, rehearsed):
    assert field in refused(rehearsed, SOUND | {field: HOSTILE[kind]}, hostile={field})


@pytest.mark.parametrize("event", ["workflow_dispatch", "workflow_call"])
@pytest.mark.parametrize("value", ["$(touch {trace})", "self-hosted", "ubuntu-24.04\ntouch {trace}", "['a','b']"])
def test_a_runner_that_is_no_choice_is_refused_by_github_and_by_the_workflow(value, event, rehearsed):
    assert "runner" in refused(rehearsed, SOUND | {"runner": value}, hostile={"runner"}, event=event)


@pytest.mark.parametrize("value", ["$(touch {trace})", "yes", "1", "true; touch {trace}"])
def test_a_switch_that_is_no_boolean_is_refused(value, rehearsed):
    assert "save_results" in refused(rehearsed, SOUND | {"save_results": value}, hostile={"save_results"})


@pytest.mark.parametrize(
    "form",
    [
        {name: value for name, value in SOUND.items() if name != "run_name"},
        SOUND | {"run_name": ""},
        SOUND | {"image": "evil"},
        SOUND | {"overrides": "x" * 65_536},
        SOUND | {"overrides": "pretrained_model=../x"},
        SOUND | {"overrides": "seed=1 seed=2"},
        SOUND | {"overrides": "experiments_folder=/"},
        SOUND | {"run_name": "a..b", "save_results": "true"},
        SOUND | {"dataset_folder": "data/none"},
        SOUND | {"dataset_folder": ".git"},
        SOUND | {"pretrained_model": "run:0"},
        SOUND | {"pretrained_model": "run:1 2"},
        SOUND | {"model": "restnet18"},
        SOUND | {"num_epochs": "1e99"},
        SOUND | {"learning_rate": "nan"},
        SOUND | {"learning_rate": "-1"},
    ],
)
def test_a_form_with_a_mistake_is_refused_before_anything_is_built(form, rehearsed):
    assert refused(rehearsed, form)


def test_a_model_with_a_typing_error_is_told_the_nearest_name(rehearsed):
    assert "resnet18" in refused(rehearsed, SOUND | {"model": "restnet18"})
