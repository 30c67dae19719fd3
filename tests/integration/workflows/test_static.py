"""The workflow files read without running them: by the tools of the code quality lock, and by rules of our own."""

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from rules import (
    HOSTED,
    MAY_WRITE,
    ROOT,
    RULES,
    dangerous_triggers,
    endless_jobs,
    expressions_in_scripts,
    foreign_checkouts,
    foreign_machines,
    kept_credentials,
    long_scripts,
    misplaced_secrets,
    missing_scripts,
    parsed,
    unbounded_workflows,
    unpinned_actions,
    wide_permissions,
)  # fmt: skip
from steps import SCRIPTS

from image_classifier.settings import views

BIN = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_workflows_keep_the_rules(path, rule):
    text = path.read_text()
    assert rule(path.name, text, parsed(text)) == []


CHECKOUT = re.search(r"actions/checkout@\S+ # \S+", WORKFLOWS[0].read_text())[0]
PLANTED = [
    (unpinned_actions, CHECKOUT, "actions/checkout@v7"),
    (unpinned_actions, CHECKOUT, CHECKOUT.partition(" #")[0]),
    (unpinned_actions, CHECKOUT, CHECKOUT.replace("actions/", "somebody/")),
    (unpinned_actions, CHECKOUT, "./.github/actions/checkout"),
    (expressions_in_scripts, "scripts/request.py", 'scripts/request.py "${{ inputs.model }}"'),
    (misplaced_secrets, "permissions: {}", "permissions: {}\nenv:\n  DB_PASS: ${{ secrets.DB_PASS }}"),
    (misplaced_secrets, "    name: Train\n", "    name: Train\n    env:\n      T: ${{ github.token }}\n"),
    (misplaced_secrets, "container.py train", "container.py train ${{ secrets.DB_PASS }}"),
    (misplaced_secrets, "lfs: false\n", "lfs: false\n          token: ${{ secrets['X'] }}\n"),
    (wide_permissions, "permissions: {}", "permissions: write-all"),
    (wide_permissions, "permissions: {}", "name: x"),
    (wide_permissions, "contents: read # the", "contents: write # the"),
    (wide_permissions, "packages: read", "id-token: write"),
    (endless_jobs, "timeout-minutes: 30", "name: x"),
    (unbounded_workflows, "concurrency:", "x-concurrency:"),
    (kept_credentials, "persist-credentials: false", "fetch-depth: 0"),
    (kept_credentials, "persist-credentials: false", "persist-credentials: true"),
    (foreign_checkouts, "lfs: false", "ref: ${{ github.head_ref }}"),
    (foreign_checkouts, "lfs: false", "repository: somebody/else"),
    (foreign_checkouts, "lfs: false", "path: elsewhere"),
    (foreign_machines, "runs-on: ubuntu-24.04", "runs-on: self-hosted"),
    (foreign_machines, "runs-on: ubuntu-24.04", "runs-on: ubuntu-latest"),
    (foreign_machines, '"workflow_dispatch", "push"', '"workflow_dispatch", "pull_request"'),
    (dangerous_triggers, "workflow_dispatch:", "pull_request_target:"),
    (missing_scripts, "scripts/request.py", "scripts/requests.py"),
    (long_scripts, "run: python3 .ci/scripts/request.py", "run: |\n" + "          a\n" * 4),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "before", "after"), PLANTED)
def test_a_planted_violation_is_found(rule, before, after):
    text = (ROOT / ".github/workflows/training.yaml").read_text()
    assert before in text
    changed = text.replace(before, after, 1)
    assert rule("training.yaml", changed, parsed(changed)) != []


def test_every_rule_has_a_planted_violation():
    assert {rule for rule, _, _ in PLANTED} == set(RULES)


def test_no_list_of_permissions_outlives_its_job():
    jobs = {(path.name, job) for path in WORKFLOWS for job in parsed(path.read_text())["jobs"]}
    assert set(MAY_WRITE) <= jobs


def tool(*command):
    program = BIN / command[0]
    if not program.exists() and not os.environ.get("CI"):
        pytest.skip(f"{command[0]} is not in this environment (make test installs it)")
    return subprocess.run([program, *command[1:]], capture_output=True, text=True, cwd=ROOT)


ZIZMOR = ("zizmor", "--offline", "--strict-collection", "--no-progress", "--no-config", "--color=never")


@pytest.mark.parametrize("persona", ["pedantic", "auditor"])
def test_zizmor_reports_nothing(persona):
    done = tool(*ZIZMOR, f"--persona={persona}", ".github")
    assert (done.returncode, done.stdout.strip()) == (0, "No findings to report. Good job!"), done.stdout + done.stderr
    for path in WORKFLOWS:
        assert path.name in done.stderr, "it was read"


def test_no_finding_is_silenced():
    for path in sorted((ROOT / ".github").rglob("*.y*ml")):
        assert "zizmor:" not in path.read_text(), path


def test_zizmor_finds_a_planted_violation(tmp_path):
    text = (ROOT / ".github/workflows/training.yaml").read_text()
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "training.yaml").write_text(
        text.replace("run: python3 .ci/scripts/request.py", 'run: echo "${{ inputs.run_name }}"')
    )
    done = tool(*ZIZMOR, "--persona=auditor", str(tmp_path))
    assert done.returncode != 0
    assert "template-injection" in done.stdout


def test_the_files_follow_githubs_schemas(tmp_path):
    workflow = tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))
    assert workflow.returncode == 0, workflow.stdout
    robot = tool("check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml")
    assert robot.returncode == 0, robot.stdout
    (tmp_path / "x.yaml").write_text(WORKFLOWS[0].read_text().replace("timeout-minutes", "timeout-minute"))
    assert tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(tmp_path / "x.yaml")).returncode


def test_the_form_is_the_one_that_config_prints():
    on = yaml.safe_load((ROOT / ".github/workflows/training.yaml").read_text())[True]
    form = yaml.safe_load(views.dispatch_form())["inputs"]
    assert on["workflow_dispatch"]["inputs"] == form
    assert list(on["workflow_dispatch"]["inputs"]) == list(form), "in this order"
    called = copy.deepcopy(form)
    assert called["runner"].pop("options") == [HOSTED, "self-hosted-gpu"]
    called["runner"]["type"] = "string"
    assert on["workflow_call"]["inputs"] == called


def test_names_are_those_that_people_and_branch_rules_know():
    texts = {path.name: parsed(path.read_text()) for path in WORKFLOWS}
    assert set(texts) == {
        "training.yaml",
        "experiments.yaml",
        "pre-commit.yaml",
        "ci.yaml",
        "image.yaml",
        "deploy-pipeline.yaml",
    }
    assert texts["training.yaml"]["name"] == "Image Classifier Training"
    assert texts["training.yaml"]["run-name"] == (
        "Experiment: ${{ inputs.experiment_name }} / Run: ${{ inputs.run_name }}"
    )
    assert texts["pre-commit.yaml"]["name"] == "Code Quality checks with pre-commit"
    assert texts["pre-commit.yaml"]["on"] == ["push", "pull_request"]


SAVING = {
    ("training.yaml", "save_results"): (
        "artifacts",
        "description",
        "github",
        "git_client",
        "package",
        "step",
        "unpacking",
    ),
    ("experiments.yaml", "save_pipelines"): (
        "artifacts",
        "github",
        "git_client",
        "git_repository",
        "landing",
        "package",
        "step",
        "unpacking",
    ),
}


@pytest.fixture(scope="module")
def package():
    """{module: file} of all that a script loads with package.py, on a machine where nothing is installed."""
    program = "import json, sys; sys.path.insert(0, sys.argv[1]); import package; "
    program += "print(json.dumps({name: getattr(each, '__file__', None) for name, each in sys.modules.items()}))"
    command = [sys.executable, "-S", "-I", "-B", "-c", program, SCRIPTS]
    done = subprocess.run(command, cwd=SCRIPTS.anchor, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_scripts_take_from_the_package_needs_the_standard_library_alone(package):
    ours = {name: file for name, file in package.items() if name.partition(".")[0] == "image_classifier"}
    assert set(package) - set(ours) - {"package", "__main__"} <= {
        name for name in package if name.partition(".")[0] in sys.stdlib_module_names
    }
    assert {"image_classifier.errors", "image_classifier.settings.config"} <= set(ours)
    assert all(Path(file).is_relative_to(ROOT / "image_classifier") for file in ours.values())


@pytest.mark.parametrize(("workflow", "script"), SAVING)
def test_the_job_that_may_write_runs_no_container(workflow, script, package):
    """Not the image, and nothing that the artifact brought."""
    job = parsed((ROOT / ".github/workflows" / workflow).read_text())["jobs"]["save"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [f"python3 .ci/scripts/{script}.py"]
    known, texts = {script, *SAVING[workflow, script]}, {}
    for name in known:
        texts[name] = (SCRIPTS / f"{name}.py").read_text()
        assert "docker" not in texts[name]
        assert "eval(" not in texts[name]
        assert "shell=True" not in texts[name]
    for name in [name for name in package if name.startswith("image_classifier")]:
        assert not re.search(r"subprocess|docker (run|build)|eval\(|exec\(|os\.system", Path(package[name]).read_text())
    imported = {name for text in texts.values() for name in re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)}
    assert imported & {path.stem for path in SCRIPTS.glob("*.py")} == known - {script}


IN_THE_IMAGE = {"pipelines.py": {"dvc"}, "dulwich_repository.py": {"dulwich", "urllib3"}}


def test_scripts_import_the_standard_library_and_each_other_and_one_of_them_the_package():
    allowed = set(sys.stdlib_module_names) | {path.stem for path in SCRIPTS.glob("*.py")} | {"image_classifier"}
    for path in SCRIPTS.glob("*.py"):
        found = re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(), flags=re.MULTILINE)
        assert set(found) <= allowed | IN_THE_IMAGE.get(path.name, set()), path
        assert ("image_classifier" in found) == (path.name == "package.py"), path


def test_the_documented_caller_gives_what_the_workflow_wants():
    page = (ROOT / "docs/workflows.md").read_text()
    (caller,) = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, flags=re.DOTALL)[1])["jobs"].values()
    workflow = parsed((ROOT / ".github/workflows/training.yaml").read_text())
    assert caller["uses"] == "./.github/workflows/training.yaml"
    assert set(caller["with"]) <= set(workflow["on"]["workflow_call"]["inputs"])
    wanted = {}
    for job in workflow["jobs"].values():
        for name, right in job["permissions"].items():
            wanted[name] = max(right, wanted.get(name, "read"))
    assert caller["permissions"] == wanted


def test_the_documented_form_is_the_form():
    page = (ROOT / "docs/workflows.md").read_text()
    table = page.partition("## The form")[2].partition("A mistake is refused")[0]
    fields = [
        field
        for row in re.findall(r"^\| (`.*?) \|", table, flags=re.MULTILINE)
        for field in re.findall(r"`(\w+)`", row)
    ]
    assert fields == list(yaml.safe_load(views.dispatch_form())["inputs"])
