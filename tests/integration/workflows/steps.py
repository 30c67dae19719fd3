"""The workflows' scripts, run as their steps run them: a process of its own, its inputs in the environment."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[3] / ".ci" / "scripts"


@dataclass
class Step:
    """What a step left behind."""

    code: int
    stdout: str
    stderr: str
    outputs: dict
    summary: str


@dataclass
class Job:
    """A job's workspace (a git repository) and its temporary folder."""

    workspace: Path
    temporary: Path
    variables: dict

    def run(self, script, *arguments, **variables):
        """The finished step; variables are set for it alone."""
        output, summary = self.temporary / "output", self.temporary / "step_summary"
        output.write_text("")
        summary.write_text("")
        given = {"RUNNER_TEMP": self.temporary, "GITHUB_OUTPUT": output, "GITHUB_STEP_SUMMARY": summary}
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.temporary), "LC_ALL": "C.UTF-8", "GITHUB_ACTIONS": "true"}
        done = subprocess.run(
            [sys.executable, SCRIPTS / script, *arguments],
            cwd=self.workspace,
            env={name: str(value) for name, value in (kept | given | self.variables | variables).items()},
            capture_output=True,
            text=True,
            errors="replace",
        )
        lines = output.read_text().splitlines()
        return Step(
            done.returncode,
            done.stdout,
            done.stderr,
            dict(line.split("=", 1) for line in lines),
            summary.read_text(),
        )


def refused(step, words, hint=""):
    """Check that the step refused in our own words, once, and left nothing for later steps."""
    assert step.code == 2, step
    assert "Traceback" not in step.stderr
    assert step.stderr.splitlines()[-2].startswith("error: "), step.stderr
    assert step.stderr.splitlines()[-1].startswith(" hint: "), step.stderr
    assert words in step.stderr.splitlines()[-2], step.stderr
    assert hint in step.stderr.splitlines()[-1], step.stderr
    assert step.outputs == {}
    return True


def git(folder, *arguments):
    """What git prints, with an identity and without this user's settings."""
    who = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, "-c", "init.defaultBranch=main", "-C", folder, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout.strip()


def job(folder, **files):
    """A job whose workspace is a new repository with the files committed."""
    workspace, temporary = folder / "workspace", folder / "temporary"
    workspace.mkdir()
    temporary.mkdir()
    git(workspace, "init", "--quiet")
    for name, content in files.items():
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    git(workspace, "add", "--all", "--force")
    git(workspace, "commit", "--quiet", "--allow-empty", "-m", "All")
    return Job(workspace, temporary, {})
