""".drone.yml: its steps run as Drone runs them, in our image, on a clone of the tag, with a real git server and S3."""

import fnmatch
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import git_server
import pytest
import yaml

from image_classifier import load_run

FILE = Path(__file__).parents[3] / ".drone.yml"
TAG = "run-examples-digits-;touch$IFS'pwned'`touch${IFS}pwned`$(touch${IFS}pwned)"
# What Drone's runner for docker makes of the commands of a step (engine/compiler/shell/shell.go).
BEGIN = """
if [ ! -z "${DRONE_NETRC_FILE}" ]; then
    echo $DRONE_NETRC_FILE > $HOME/.netrc
    chmod 600 $HOME/.netrc
fi
unset DRONE_SCRIPT
unset DRONE_NETRC_MACHINE
unset DRONE_NETRC_USERNAME
unset DRONE_NETRC_PASSWORD
unset DRONE_NETRC_FILE
set -e
"""


def script(commands):
    escaped = [command.replace("$", "\\$") for command in commands]
    return BEGIN + "".join(f"\necho + '{shown}'\n{command}\n" for shown, command in zip(escaped, commands, strict=True))


@dataclass
class Drone:
    """A Drone with one repository on a git server; `run` is a build of a tag."""

    docker: object
    image: str
    remote: Path
    url: str
    secrets: dict
    volumes: list = field(default_factory=list)

    def run(self, tag):
        """{step: its log} of those that ran, and whether all went well; the workspace is the last of the volumes."""
        pipeline = yaml.safe_load(FILE.read_text())
        reference, logs, status = f"refs/tags/{tag}", {}, "success"
        assert matches(pipeline["trigger"], reference)
        self.volumes.append(f"drone-{uuid.uuid4().hex}")
        self.clone(reference)
        for step in pipeline["steps"]:
            if matches(step.get("when", {}), reference) and status in step.get("when", {}).get("status", ["success"]):
                done = self.step(step, tag)
                logs[step["name"]] = done.stdout + done.stderr
                status = "failure" if done.returncode else status
        return logs, status

    def clone(self, reference):
        """As drone/git does it: all of the tag's history, no branch, and nothing checked out but a commit."""
        folder = self.remote.parent / uuid.uuid4().hex
        for command in (
            *(["init", "--quiet", folder], ["-C", folder, "remote", "add", "origin", self.url]),
            ["-C", folder, "fetch", "--quiet", self.remote, f"+{reference}:"],
            ["-C", folder, "checkout", "-qf", "FETCH_HEAD"],
        ):
            subprocess.run(["git", "-c", "safe.directory=*", *command], check=True)
        self.inside("cp -r /from/. /drone/src", f"--mount=type=bind,source={folder},target=/from,readonly")

    def inside(self, command, *options):
        """What a command of root's prints in the workspace."""
        volume = f"--mount=type=volume,source={self.volumes[-1]},target=/drone/src"
        words = [
            "run",
            "--rm",
            "--user=root",
            volume,
            "--workdir=/drone/src",
            *options,
            self.image,
            "sh",
            "-c",
            command,
        ]
        return self.docker(*words).stdout

    def step(self, step, tag):
        assert set(step) <= {"name", "image", "pull", "user", "environment", "commands", "when"}
        assert step["image"] == "image-classifier"
        host = self.url.split("/")[2].partition(":")[0]
        known = {
            "DRONE": "true",
            "CI": "true",
            "DRONE_TAG": tag,
            "DRONE_BUILD_EVENT": "tag",
            "DRONE_REPO_BRANCH": "main",
        }
        known |= {"DRONE_COMMIT_SHA": self.git("rev-parse", f"refs/tags/{tag}^{{commit}}")}
        known |= {"DRONE_NETRC_FILE": f"machine {host} login octocat password {git_server.PASSWORD}"}
        known |= {
            name: self.secrets.get(value["from_secret"], "") for name, value in step.get("environment", {}).items()
        }
        known |= {"DRONE_SCRIPT": script(step["commands"])}
        told = [option for name, value in known.items() for option in ("--env", f"{name}={value}")]
        volume = f"--mount=type=volume,source={self.volumes[-1]},target=/drone/src"
        words = ["run", "--rm", f"--user={step['user']}", volume, "--workdir=/drone/src", "--entrypoint=/bin/sh", *told]
        return self.docker(*words, self.image, "-c", 'echo "$DRONE_SCRIPT" | /bin/sh', check=False)

    def git(self, *arguments):
        """What git says of the remote."""
        command = ["git", "-c", "safe.directory=*", "-C", self.remote, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def matches(conditions, reference):
    patterns = conditions.get("ref", ["*"])
    return any(fnmatch.fnmatchcase(reference, pattern) for pattern in patterns)


@pytest.fixture(scope="module")
def drone(*, project, git, docker, image, store, gateway, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drone")
    source, remote = project(folder / "repository"), folder / "server" / "pets.git"
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", remote)
    git(remote, "config", "http.receivepack", "true")
    git(source, "push", "--quiet", remote, "HEAD:refs/heads/main")
    for tag in (TAG, "process-data-digits", "run-examples-digits-2"):
        git(remote, "update-ref", f"refs/tags/{tag}", "main")
    with git_server.serving(remote.parent, gateway) as port:
        secrets = store.secrets | {"MLFLOW_S3_ENDPOINT_URL": store.url}
        drone = Drone(docker, image, remote, f"http://{gateway}:{port}/pets.git", secrets)
        yield drone
        docker("volume", "rm", "--force", *drone.volumes)


@pytest.fixture(scope="module")
def processed(drone):
    """The build of the tag that only prepares, and where the branch ended after it."""
    return *drone.run("process-data-digits"), drone.git("rev-parse", "main")


@pytest.fixture(scope="module")
def ran(drone, processed):
    """The build of a tag with a hostile name, on the commit that the first tag names too."""
    return drone.run(TAG)


def test_a_tag_for_data_runs_what_prepares_alone_and_its_branch_gets_the_lock(drone, processed, store):
    logs, status, tip = processed
    assert status == "success", logs
    assert list(logs) == ["prepare the data and push it", "commit the results"]
    assert drone.git("log", "-1", "--format=%B", tip) == "all-results"
    assert drone.git("diff", "--name-only", f"{tip}~1", tip) == "examples/digits/dvc.lock"
    stages = yaml.safe_load(drone.git("show", f"{tip}:examples/digits/dvc.lock"))["stages"]
    assert list(stages) == ["prepare"]
    assert stages["prepare"]["outs"][0]["md5"] in store.digests()


def test_a_tag_for_a_run_trains_and_what_others_pushed_meanwhile_is_kept(drone, ran, processed):
    """The lock file changed on the branch since the tagged commit, so the results wait beside it."""
    logs, status = ran
    assert status == "success", logs
    assert list(logs) == ["run the pipelines and push the data", "commit the results"]
    assert drone.git("rev-parse", "main") == processed[2]
    assert drone.git("rev-parse", f"results/{TAG}~1") == drone.git("rev-parse", f"refs/tags/{TAG}")
    assert drone.git("log", "-1", "--format=%B", f"results/{TAG}") == "all-results"
    assert f"these are on results/{TAG}"[:40] in logs["commit the results"]


def test_a_new_clone_gets_the_model(drone, ran, pulled):
    folder, _ = pulled(drone.remote, f"results/{TAG}")
    run = load_run(folder / "examples/digits/artifacts/digits/cnn")
    assert run.metrics()["n"] == 270
    assert run.record["provenance"]["commit"] == drone.git("rev-parse", f"refs/tags/{TAG}")


def test_no_name_became_a_command_and_no_secret_is_told(drone, ran):
    assert drone.inside("find /drone / -xdev -name 'pwned*'") == ""
    for secret in (*drone.secrets.values(), git_server.PASSWORD):
        assert secret not in "".join(ran[0].values()) or secret == drone.secrets["MLFLOW_S3_ENDPOINT_URL"]
    assert "${" not in FILE.read_text(), "Drone would put a variable's text there before it reads the file"


def test_without_secrets_it_still_runs_and_says_what_was_not_pushed(drone, ran, store):
    before, secrets, drone.secrets = store.digests(), drone.secrets, {}
    logs, status = drone.run("process-data-digits")
    drone.secrets = secrets
    assert status == "success", logs
    said = logs["prepare the data and push it"]
    assert "the data was NOT pushed: the secrets MINIO_ACCESS_KEY_ID and MINIO_SECRET_ACCESS_KEY are not set" in said
    assert "has these results already" in logs["commit the results"]
    assert store.digests() == before


def test_every_step_is_in_our_image_and_knows_secrets_by_name_only():
    pipeline = yaml.safe_load(FILE.read_text())
    assert pipeline["trigger"] == {"event": ["tag"], "ref": ["refs/tags/run-examples-*", "refs/tags/process-data-*"]}
    for step in pipeline["steps"]:
        assert step["image"] == "image-classifier"
        assert all(list(value) == ["from_secret"] for value in step.get("environment", {}).values())
