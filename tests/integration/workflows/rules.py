"""Rules that every workflow file must keep: each is a function that lists what breaks it."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
HOSTED = "ubuntu-24.04"
# The one place where a machine of our own is chosen: by name, and only for events that need write access.
OWN_MACHINE = (
    "${{ inputs.runner == 'self-hosted-gpu' "
    """&& contains(fromJSON('["workflow_dispatch", "push", "schedule"]'), github.event_name) """
    "&& 'self-hosted-gpu' || 'ubuntu-24.04' }}"
)
# Whatever a job may do beyond reading stands here; a change to it is a change to this list.
MAY_WRITE = {
    ("training.yaml", "save"): {"contents", "pull-requests"},
    ("experiments.yaml", "save"): {"contents"},
    ("image.yaml", "publish"): {"packages"},
    ("image.yaml", "attest"): {"id-token", "attestations"},
}


def parsed(text):
    """The workflow; `on` stays a word."""
    loader = type("Loader", (yaml.SafeLoader,), {})
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:bool"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return yaml.load(text, loader)  # noqa: S506  (a SafeLoader with fewer words)


def texts(value, path=()):
    """Every text in the tree with the names that lead to it."""
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(inner, (*path, name))
    else:
        yield path, str(value)


def steps(workflow):
    return [(name, step) for name, job in workflow["jobs"].items() for step in job.get("steps", [])]


def unpinned_actions(name, text, workflow):
    """Every action of GitHub's own, by commit, with its version beside it."""
    used = re.findall(r"^\s*(?:- )?uses: *(.*)$", text, flags=re.MULTILINE)
    assert len(used) == sum("uses" in step for _, step in steps(workflow))
    return [use for use in used if not re.fullmatch(r"actions/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)]


def expressions_in_scripts(name, text, workflow):
    return [step["run"] for _, step in steps(workflow) if "${{" in step.get("run", "")]


def misplaced_secrets(name, text, workflow):
    """A secret in anything but one step's environment."""
    found = [(path, value) for path, value in texts(workflow) if re.search(r"\bsecrets\b|github\.token", value)]
    return [path for path, _ in found if not (path[0] == "jobs" and path[2] == "steps" and path[4:5] == ("env",))]


def wide_permissions(name, text, workflow):
    found = [] if workflow.get("permissions") == {} else ["the workflow's"]
    for job, about in workflow["jobs"].items():
        allowed = MAY_WRITE.get((name, job), set())
        given = about.get("permissions")
        if not isinstance(given, dict):
            found.append(f"{job}: none given")
            continue
        found += [f"{job}: {key}" for key, value in given.items() if value != "read" and key not in allowed]
    return found


def endless_jobs(name, text, workflow):
    return [job for job, about in workflow["jobs"].items() if not about.get("timeout-minutes")]


def unbounded_workflows(name, text, workflow):
    return [] if workflow.get("concurrency", {}).get("group") else [name]


def kept_credentials(name, text, workflow):
    checkouts = [step for _, step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    return [step for step in checkouts if step.get("with", {}).get("persist-credentials") != "false"]


def foreign_checkouts(name, text, workflow):
    """A checkout of another commit than the workflow's: scripts, and the package they import, would be of that one."""
    checkouts = [step for _, step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    return [step for step in checkouts if set(step.get("with", {})) - {"persist-credentials", "lfs", "fetch-depth"}]


def foreign_machines(name, text, workflow):
    """Machines of our own outside the one guarded expression."""
    chosen = [(name, job, " ".join(about["runs-on"].split())) for job, about in workflow["jobs"].items()]
    return [each for each in chosen if each[2] != HOSTED and each != ("training.yaml", "train", OWN_MACHINE)]


def dangerous_triggers(name, text, workflow):
    on = workflow["on"]
    return [event for event in on if event in ("pull_request_target", "workflow_run", "issue_comment", "issues")]


def missing_scripts(name, text, workflow):
    named = {match for _, step in steps(workflow) for match in re.findall(r"\.ci/scripts/[\w.]+", step.get("run", ""))}
    return sorted(script for script in named if not (ROOT / script).is_file())


def long_scripts(name, text, workflow):
    """What is more than a few lines belongs into a script that is tested."""
    return [step["run"] for _, step in steps(workflow) if step.get("run", "").strip().count("\n") > 2]


RULES = [
    unpinned_actions, expressions_in_scripts, misplaced_secrets, wide_permissions, endless_jobs, unbounded_workflows,
    kept_credentials, foreign_checkouts, foreign_machines, dangerous_triggers, missing_scripts, long_scripts,
]  # fmt: skip
