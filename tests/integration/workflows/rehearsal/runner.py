"""What GitHub's runner does with one job: a fresh machine's folders, and its steps one after the other."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import uuid
from pathlib import Path
from types import SimpleNamespace

from . import actions

SHELLS = {None: "bash -e {0}", "bash": "bash --noprofile --norc -eo pipefail {0}", "sh": "sh -e {0}"}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE")
LARGEST_SUMMARY = 1 << 20  # bytes
USER = 1001  # that of hosted runners, in whose place a test that runs as root puts its steps


class FailedError(Exception):
    """A step failed; the text stands in its log."""


def unprivileged():
    """How to start a step: never as root, but allowed to speak to docker's daemon."""
    socket = Path("/var/run/docker.sock")
    groups = [socket.stat().st_gid] if socket.exists() else []
    return {"user": USER, "group": USER, "extra_groups": groups} if os.geteuid() == 0 else {}


def own(*tops):
    """Give files and folders, with all that is in them, to the user who runs the steps."""
    for path in (path for top in tops if os.geteuid() == 0 for path in (top, *top.rglob("*"))):
        os.lchown(path, USER, USER)


def pairs(text):
    """What `name=value` lines and `name<<WORD` blocks of a command file say."""
    found, lines = {}, iter(text.split("\n"))
    for line in filter(None, lines):
        name, mark, value = re.fullmatch(r"(.+?)(=|<<)(.*)|.*", line).groups()
        if not mark:
            raise FailedError(f"Invalid format '{line}'")
        if mark == "<<":
            word, block = value, []
            while (value := next(lines, None)) != word:
                if value is None:
                    raise FailedError(f"Matching delimiter not found '{word}'")
                block.append(value)
            value = "\n".join(block)
        found[name] = value
    return found


def stop(process):
    """End a step as the runner does: asked twice, then it and its children are killed."""
    for sign, seconds in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5)):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.send_signal(sign)
            process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Runner:
    """One job: `perform` runs it, then `result`, `outputs`, `steps` and `summary` say what came of it."""

    def __init__(self, github, tree, job_id, job, contexts):
        self.github, self.job, self.root = github, job, github.folder / f"{github.last_run}-{job_id}-{uuid.uuid4()}"
        self.home, self.temp, tools = (self.root / each for each in ("home", "temp", "tools"))
        self.workspace = self.root / "work" / github.repository.split("/")[1]
        for folder in (self.home, self.temp, tools, self.workspace):
            folder.mkdir(parents=True)
        event = self.temp / "event.json"
        event.write_text(json.dumps(contexts["github"]["event"]))
        own(self.root)
        here = {"workspace": str(self.workspace), "event_path": str(event), "job": job_id}
        runner = {"os": "Linux", "arch": "X64", "temp": str(self.temp), "tool_cache": str(tools)}
        self.contexts = {**contexts, "github": contexts["github"] | here, "runner": runner, "steps": {}, "env": {}}
        self.steps, self.path, self.summary, self.outputs, self.result = [], [], "", {}, "success"
        self.masked = [line for value in contexts["secrets"].values() for line in value.splitlines() if line.strip()]
        self.labels = self.evaluate(job["runs-on"])
        self.permissions = job.get("permissions", tree.get("permissions"))
        self.defaults = {"shell": None, "working-directory": "."}
        for level in (tree, job):
            self.contexts["env"] |= self.evaluate(level.get("env", {}), text=True)
            self.defaults |= level.get("defaults", {}).get("run", {})

    def evaluate(self, tree, **how):
        contexts = self.contexts | {"job": {"status": self.result}}
        return self.github.evaluate(tree, contexts, status=self.result, **how)

    def hidden(self, text):
        """A text as a log shows it."""
        for secret in sorted(self.masked, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def perform(self):
        """Every step whose condition holds, then the job's outputs."""
        for number, step in enumerate(self.job["steps"]):
            self._step(step, step.get("id", f"__{number}"))
        self.outputs = self.evaluate(self.job.get("outputs", {}), text=True)

    def _step(self, step, step_id):
        job_env = self.contexts["env"]
        self.contexts["env"] = job_env | self.evaluate(step.get("env", {}), text=True)
        name = self.evaluate(step.get("name") or step.get("uses") or step["run"], text=True)
        done = SimpleNamespace(name=name, log="", outputs={}, outcome="skipped")
        if self.evaluate(step.get("if", {"$": "success()"})):
            done.outcome = self._tried(step, done, job_env)
        forgiven = done.outcome == "failure" and self.evaluate(step.get("continue-on-error", False))
        done.conclusion = "success" if forgiven else done.outcome
        self.result = "failure" if "failure" in {self.result, done.conclusion} else "success"
        done.log, self.contexts["env"] = self.hidden(done.log), job_env
        self.contexts["steps"][step_id] = {each: vars(done)[each] for each in ("outcome", "conclusion", "outputs")}
        self.steps.append(done)

    def _tried(self, step, done, job_env):
        files = {name: self.temp / f"{name.lower()}_{uuid.uuid4()}" for name in FILES}
        for file in files.values():
            file.touch()
        own(*files.values())
        outcome = "success"
        for part in (lambda: self._perform(step, done, files), lambda: self._read(files, done, job_env)):
            try:
                part()
            except (FailedError, OSError, ValueError, subprocess.SubprocessError) as error:
                done.log += f"Error: {error}\n"
                outcome = "failure"
        return outcome

    def _perform(self, step, done, files):
        if "uses" not in step:
            return self._run(step, done, files)
        given = self.evaluate(step.get("with", {}), text=True)
        action = actions.stand_in(step["uses"])
        return done.outputs.update(action(self, **{name.replace("-", "_"): value for name, value in given.items()}))

    def _read(self, files, done, job_env):
        """Take over what the step wrote into its command files."""
        summary = files["GITHUB_STEP_SUMMARY"].read_text()
        if len(summary.encode()) > LARGEST_SUMMARY:
            raise FailedError("$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k")
        self.summary += self.hidden(summary)
        self.path = [*files["GITHUB_PATH"].read_text().splitlines(), *self.path]
        done.outputs |= pairs(files["GITHUB_OUTPUT"].read_text())
        job_env |= pairs(files["GITHUB_ENV"].read_text())

    def environment(self, files):
        """All that a step's process gets."""
        told = self.contexts["github"] | {"token": None, "actions": "true"}
        github = {f"GITHUB_{name.upper()}": value for name, value in told.items() if isinstance(value, str)}
        runner = {f"RUNNER_{name.upper()}": value for name, value in self.contexts["runner"].items()}
        base = {"PATH": PATH, "HOME": str(self.home), "CI": "true"} | self.github.machine
        base["PATH"] = ":".join([*self.path, base["PATH"]])
        base["GIT_CONFIG_SYSTEM"] = str(self.github.folder / "gitconfig")
        return base | self.contexts["env"] | github | runner | {name: str(file) for name, file in files.items()}

    def start(self, command, folder, files, log):
        """A process as a step has it."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT, "start_new_session": True}
        return subprocess.Popen(command, cwd=folder, env=self.environment(files), **streams, **unprivileged())

    def _run(self, step, done, files):
        script, log = self.temp / f"{uuid.uuid4()}.sh", self.temp / f"{uuid.uuid4()}.log"
        script.write_text(self.evaluate(step["run"], text=True))
        settings = self.evaluate(self.defaults | {name: step[name] for name in self.defaults if name in step})
        shell = settings["shell"]
        command = shlex.split(SHELLS.get(shell, shell).replace("{0}", str(script)))
        minutes = min(self.evaluate(each.get("timeout-minutes", 360)) for each in (step, self.job))
        with log.open("w+b") as stream:
            process = self.start(command, self.workspace / settings["working-directory"], files, stream)
            try:
                code = process.wait(60 * minutes)
            except subprocess.TimeoutExpired:
                code = stop(process)
        done.log += log.read_text(errors="replace")
        self.masked += re.findall(r"^::add-mask::(.+)$", done.log, re.MULTILINE)
        for file in (script, log):
            file.unlink()
        if code is None:
            raise FailedError(f"The action has timed out after {minutes} minutes.")
        if code:
            raise FailedError(f"Process completed with exit code {code}.")
