"""pipelines.py with the real DVC on pipelines that take no time: what is run, what is kept, and what is said."""

import base64
import json
import os
import sys
from pathlib import Path

import pytest
from steps import SCRIPTS, git, job, refused

sys.path.insert(0, str(SCRIPTS))
import pipelines

from image_classifier.errors import UserError

KEPT = ".dvc/tmp/results.json"
PREPARE = "stages:\n  prepare:\n    cmd: echo $EXTRA > data\n    outs: [data]\n"
TRAIN = "  train:\n    cmd: sed s/x/y/ data > model && echo {} > metrics.json\n    deps: [data]\n    outs: [model]\n"
METRICS = "    metrics:\n      - metrics.json: {cache: false}\n"
GOOD = PREPARE + TRAIN + METRICS
FOLDER = "[core]\n    analytics = false\n    remote = folder\n['remote \"folder\"']\n    url = ../../beside\n"
NOWHERE = FOLDER.replace("../../beside", "gs://nobody/has/this")
NAMES = ["breast_cancer", "digits", "wine", "wine_quality"]


@pytest.fixture
def project(tmp_path):
    """project(config, **pipelines) is a checkout with these examples."""

    def make(config=FOLDER, **named):
        files = {f"examples/{name}/dvc.yaml": text for name, text in named.items()}
        made = job(tmp_path, **files, **{".dvc/config": config, ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n"})
        made.variables |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "EXTRA": "x"}
        made.variables |= {"DVC_SITE_CACHE_DIR": tmp_path / "site", "MINIO": "", "AWS_ACCESS_KEY_ID": ""}
        return made

    return make


def kept(made):
    texts = json.loads((made.workspace / KEPT).read_text())
    return {path: base64.b64decode(text).decode() for path, text in texts.items()}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        *((text, NAMES) for text in ("all", "", "run-example", "run-examples-7", "process-data-1", "run-example-dig")),
        *((f"{prefix}-digits", ["digits"]) for prefix in ("run-example", "run-examples", "process-data")),
        *((text, ["digits"]) for text in ("digits", "run-example-digits-2", "run-examples-digits-;touch x")),
        ("run-example-wine", ["wine"]),
        ("run-example-wine_quality-wine", ["wine_quality"]),
        ("run-example-breast_cancer", ["breast_cancer"]),
        ("run-example-winery", NAMES),
    ],
)
def test_the_name_says_which_examples_are_run(asked, expected):
    assert pipelines.wanted(asked, NAMES) == expected


def test_without_any_example_it_says_where_they_should_be():
    with pytest.raises(UserError, match="there is no examples/NAME"):
        pipelines.wanted("all", [])


def test_what_belongs_into_git_is_left_and_data_that_cannot_be_pushed_is_named(project):
    made = project(digits=GOOD, wine=GOOD)
    step = made.run(
        "pipelines.py", "run", GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="run-example-digits", GITHUB_ACTIONS="true"
    )
    assert step.code == 0, step.stderr
    assert set(kept(made)) == {"examples/digits/dvc.lock", "examples/digits/.gitignore", "examples/digits/metrics.json"}
    assert kept(made)["examples/digits/metrics.json"] == "{}\n"
    assert "the data was NOT pushed: DVC's default remote folder is a folder, which would be gone" in step.stderr
    assert "::warning::the data was NOT pushed" in step.stdout
    changed = git(made.workspace, "status", "--porcelain", "--untracked-files=all").split("\n")
    assert {line.split()[1] for line in changed} == set(kept(made))
    assert not (made.workspace.parent / "beside").exists()


def test_a_pipeline_that_fails_stops_no_other_and_is_told_at_the_end(project):
    made = project(digits=GOOD, wine="stages:\n  prepare:\n    cmd: exit 7\n    outs: [data]\n")
    step = made.run("pipelines.py", "run", DRONE_TAG="run-examples-1")
    assert step.code == 2
    assert "error: a pipeline failed" in step.stderr
    assert "examples/digits/dvc.lock" in kept(made)
    assert "examples/wine/dvc.lock" not in kept(made)


def test_data_that_did_not_arrive_leaves_nothing_to_commit(project):
    made = project(NOWHERE, digits=GOOD)
    (made.workspace / ".dvc/tmp").mkdir(exist_ok=True)
    (made.workspace / KEPT).write_text("of an earlier run")
    step = made.run("pipelines.py", "run", EXAMPLE="digits")
    assert refused(step, "the data was not pushed")
    assert not (made.workspace / KEPT).exists()


def test_for_data_only_what_prepares_is_run(project):
    made = project(digits=GOOD, wine="stages:\n  sweep:\n    cmd: echo x > all\n    outs: [all]\n")
    step = made.run("pipelines.py", "data", DRONE_TAG="process-data-1")
    assert step.code == 0, step.stderr
    assert not (made.workspace / "examples/digits/model").exists()
    assert set(kept(made)) == {"examples/digits/dvc.lock", "examples/digits/.gitignore"}
    assert refused(made.run("pipelines.py", "data", DRONE_TAG="process-data-wine"), "no stage prepare")


def test_an_image_with_other_packages_than_the_commit_is_refused(project):
    made = project(digits=GOOD)
    (made.workspace / "requirements").mkdir()
    (made.workspace / "requirements/requirements-prod.txt").write_text("x==1\n")
    step = made.run("pipelines.py", "run", EXAMPLE="digits", IMAGE_CLASSIFIER_LOCK_DIGEST="0" * 64)
    assert refused(step, "this image was not made from", "source docker/build.sh")


@pytest.mark.parametrize("words", [(), ("train",), ("run", "data"), ("--help",)])
def test_a_stage_that_is_none_is_refused(project, words):
    assert refused(project(digits=GOOD).run("pipelines.py", *words), "is no stage")
