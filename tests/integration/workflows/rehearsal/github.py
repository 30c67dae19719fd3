"""What GitHub itself does: it takes or refuses a dispatch, orders the jobs and says how the run ended."""

import json
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .runner import Runner

LARGEST_INPUTS = 65_535  # characters of all inputs of one dispatch
RUNNABLE = {"steps", "outputs", "needs", "if", "env", "defaults", "name", "timeout-minutes", "permissions"}
RUNNABLE |= {"runs-on", "concurrency", "environment", "continue-on-error"}


class RefusedError(Exception):
    """GitHub would not start this run."""


def accepted(declared, given, event):
    """The inputs with their defaults, as GitHub's form and API take them."""
    if unknown := given.keys() - declared.keys():
        raise RefusedError(f"Unexpected inputs provided: {sorted(unknown)}")
    if len(json.dumps(given, ensure_ascii=False)) > LARGEST_INPUTS:
        raise RefusedError("inputs are too large")
    return {name: _value(name, spec or {}, given.get(name), event) for name, spec in declared.items()}


def _value(name, spec, value, event):
    kind = spec.get("type", "string")
    if value is None:
        if spec.get("required") and "default" not in spec:
            raise RefusedError(f"Required input '{name}' not provided")
        value = spec.get("default", {"boolean": False, "choice": spec.get("options", [""])[0]}.get(kind, ""))
    if kind == "choice" and value not in spec["options"]:
        raise RefusedError(f"Provided value '{value}' for input '{name}' not in the list of allowed values")
    if kind == "boolean":
        if str(value).lower() not in {"true", "false"}:
            raise RefusedError(f"Provided value '{value}' for input '{name}' is not a boolean")
        return str(value).lower() == "true"
    # A call hands on typed values; a dispatch the text that was typed, for numbers too.
    return value if event == "workflow_call" else str(value)


def needed(job):
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


@dataclass
class Github:
    """A GitHub with one repository: its bare remote lies under `folder`/server, `api` answers for the rest."""

    engine: Any
    folder: Path
    api: Any
    secrets: dict = field(default_factory=dict)
    vars: dict = field(default_factory=dict)
    machine: dict = field(default_factory=dict)  # what a step needs here beyond what GitHub gives
    # Run numbers name containers, of which one daemon may serve several rehearsals at once.
    last_run: int = field(default_factory=lambda: uuid.uuid4().int % 10**10)

    def __post_init__(self):
        self.repository = self.api.repository
        self.remote = self.folder / "server" / self.repository
        subprocess.run(["git", "init", "--quiet", "--template=", "--bare", "-b", "main", self.remote], check=True)
        # Steps speak to https://github.com, as they do there; git alone knows better.
        url = f'[url "file://{self.folder}/server/"]\n\tinsteadOf = https://github.com/\n'
        (self.folder / "gitconfig").write_text(url)

    def git(self, *arguments):
        command = ["git", "-c", "safe.directory=*", "-C", self.remote, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def evaluate(self, tree, contexts, **how):
        return self.engine.ask("evaluate", tree=tree, contexts=contexts, **how)

    def parsed(self, workflow, ref):
        """The workflow file of a branch as GitHub reads it."""
        answer = self.engine.ask("parse", name=workflow, text=self.git("show", f"{ref}:.github/workflows/{workflow}"))
        if answer["errors"]:
            raise RefusedError("; ".join(answer["errors"]))
        return answer["tree"]

    def dispatch(self, workflow, inputs, ref="refs/heads/main", event="workflow_dispatch"):
        """The finished run of a filled-in form or, with `workflow_call`, of another workflow's call."""
        declared = (self.parsed(workflow, ref)["on"][event] or {}).get("inputs") or {}
        values = accepted(declared, inputs, event)
        return self.run(workflow, "workflow_dispatch", {"inputs": inputs}, ref, values)

    def run(self, workflow, event_name, event, ref="refs/heads/main", inputs=None):
        """The finished run of one workflow on one event."""
        tree, self.last_run = self.parsed(workflow, ref), self.last_run + 1
        event = {"repository": {"full_name": self.repository, "default_branch": "main"}} | event
        contexts = self.contexts(tree, workflow, event_name, event, ref) | {"inputs": inputs or {}}
        name = self.evaluate(tree.get("run-name", ""), contexts, text=True) or contexts["github"]["workflow"]
        run = SimpleNamespace(id=self.last_run, name=name, jobs={}, conclusion=None, github=contexts["github"])
        waiting = dict(tree["jobs"])
        while waiting:
            job_id = next(each for each, job in waiting.items() if set(needed(job)) <= run.jobs.keys())
            run.jobs[job_id] = self._job(run, tree, job_id, waiting.pop(job_id), contexts)
        results = {job.result for job in run.jobs.values()}
        run.conclusion = next((each for each in ("failure", "success") if each in results), "skipped")
        self.api.add_run(run.id, path=f".github/workflows/{workflow}", event=event_name, conclusion=run.conclusion)
        return run

    def contexts(self, tree, workflow, event_name, event, ref):
        """What every expression of a run may read."""
        path, (_, kind, name) = f".github/workflows/{workflow}", ref.split("/", 2)
        request = event.get("pull_request", {})
        sha, owner = self.git("rev-parse", f"{ref}^{{commit}}"), self.repository.split("/")[0]
        github = {"event_name": event_name, "event": event, "sha": sha, "token": self.api.token, "actor": "octocat"}
        github |= {"ref": ref, "ref_name": name, "ref_type": "tag" if kind == "tags" else "branch"}
        github |= {f"{each}_ref": request.get(each, {}).get("ref", "") for each in ("head", "base")}
        github |= {"repository": self.repository, "repository_owner": owner, "api_url": self.api.url}
        github |= {"server_url": "https://github.com", "workflow_ref": f"{self.repository}/{path}@{ref}"}
        github |= {"run_id": str(self.last_run), "run_attempt": "1", "workflow": tree.get("name", path)}
        return {"github": github, "vars": self.vars, "secrets": self.secrets | {"GITHUB_TOKEN": self.api.token}}

    def _job(self, run, tree, job_id, job, contexts):
        if unknown := job.keys() - RUNNABLE:
            raise NotImplementedError(f"jobs with {unknown}")
        before = set(needed(job)).union(*(run.jobs[name].before for name in needed(job)))
        results = [run.jobs[name].result for name in before]
        status = next((each for each in ("failure", "skipped") if each in results), "success")
        needs = {name: {"result": run.jobs[name].result, "outputs": run.jobs[name].outputs} for name in needed(job)}
        contexts = contexts | {"needs": needs}
        if not self.evaluate(job.get("if", {"$": "success()"}), contexts, status=status):
            return SimpleNamespace(result="skipped", outputs={}, steps=[], before=before, summary="")
        runner = Runner(self, tree, job_id, job, contexts)
        runner.before = before
        runner.perform()
        return runner
