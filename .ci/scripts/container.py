"""Run the trainer in a container: container.py prepare, container.py train or container.py notify.

The process becomes `docker run`, so that a signal to the step reaches the trainer, which then keeps a checkpoint; while
a run is tracked it passes signals on, and a run that only its tracking server lacks is none that failed.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from package import NotSentError, UserError, names
from step import annotate, run, set_outputs, temporary, variable
from variables import FOR_TRACKING

WORKSPACE = Path("/workspace")
FROM_A_DATABASE = f"--dataset_folder={names.DATABASE}"
NOT_SENT = NotSentError.exit_code


def main() -> None:
    """Become the container of the named stage."""
    stages = {"prepare": prepare, "train": train, "notify": notify}
    if len(sys.argv) != 2 or sys.argv[1] not in stages:
        raise UserError(f"{sys.argv[1:]} is no stage", f"give one of {', '.join(stages)}")
    # Written by this user here: docker would make what is missing as root.
    for folder in (Path("experiments"), temporary("cache"), temporary("summary")):
        folder.mkdir(parents=True, exist_ok=True)
    command = stages[sys.argv[1]]()
    sys.stdout.flush()
    if sys.argv[1] == "train" and tracked():
        sys.exit(attend(command))
    os.execvp(command[0], command)  # noqa: S606  (that is the point)


def prepare() -> list[str]:
    """Make the prepared store; the network is there for CIFAR-10, which is downloaded where it is missing.

    A database is read by the training: no other stage has its password.
    """
    if FROM_A_DATABASE in arguments("arguments.prepare"):
        annotate("notice", "the database is read when the training begins")
        sys.exit(0)
    dataset = os.environ.get("DATASET", "")
    if dataset == names.DEFAULT_DATASET:
        Path(dataset).mkdir(parents=True, exist_ok=True)
    options = [*network(wanted=dataset == names.DEFAULT_DATASET), *data(writable=dataset == names.DEFAULT_DATASET)]
    return docker(options, ["image_classifier", "prepare", *arguments("arguments.prepare")])


def train() -> list[str]:
    """Train; the network is there for what has to be fetched and a tracking server, the GPU where there is one."""
    given = arguments("arguments.train")
    fetched = {*(f"--pretrained_model={name}" for name in names.PUBLISHED_WEIGHTS), FROM_A_DATABASE}
    fetches = tracked() or not fetched.isdisjoint(given)
    options = [*network(wanted=fetches), *data(writable=False), *gpu()]
    known = ("DB_PASS", *(FOR_TRACKING if tracked() else ()))
    options += [f"--env={name}" for name in known if os.environ.get(name)]
    return docker(["--name", variable("CONTAINER"), *options], ["image_classifier_trainer", *given])


def tracked() -> bool:
    """Whether the repository names a tracking server."""
    return os.environ.get(names.TRACKING_URI, "").strip().lower() not in ("", names.OFF)


def attend(command: list[str]) -> int:
    """The container's exit code, signals passed on to it; 0 for a run that is complete, but was not sent."""
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []  # signals that came before there was a child to pass them on to

    def pass_on(number: int, _: object) -> None:
        if child:
            child.send_signal(number)
        else:
            early.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    child = subprocess.Popen(command)
    for late in early:
        child.send_signal(late)
    code = child.wait()
    if code in (0, NOT_SENT):
        set_outputs({"sent": "false" if code else "true"})
    if code == NOT_SENT:
        annotate("warning", "the run is complete, but was not sent to the tracking server (the log says why)")
        return 0
    return code if code >= 0 else 128 - code


def notify() -> list[str]:
    """Write the run's summary."""
    options = [*network(wanted=False), mount(temporary("summary"), Path("/summary"), writable=True)]
    return docker(options, ["image_classifier", "notify", variable("RUN_FOLDER"), "--output", "/summary/summary.md"])


def docker(options: list[str], command: list[str]) -> list[str]:
    """`docker run` of a stage, which sees the experiments folder."""
    # A store beside the run would end with this machine.
    untracked = [] if f"--env={names.TRACKING_URI}" in options else [f"--env={names.TRACKING_URI}={names.OFF}"]
    return [
        *confined(), *untracked,
        "--env=XDG_CACHE_HOME=/cache", mount(temporary("cache"), Path("/cache"), writable=True),
        mount(Path("experiments"), WORKSPACE / "experiments", writable=True), *options, variable("IMAGE"), *command,
    ]  # fmt: skip


def confined() -> list[str]:
    """`docker run` with the caller's rights over the mounted folders and no others, and with what a run records."""
    return [
        "docker", "run", "--rm", f"--user={os.getuid()}:{os.getgid()}", "--read-only", "--tmpfs=/tmp:exec",
        "--shm-size=1g", "--cap-drop=ALL", "--security-opt=no-new-privileges",
        f"--env={names.IMAGE_DIGEST}={variable('IMAGE')}", f"--env={names.GIT_COMMIT}={variable('GITHUB_SHA')}",
    ]  # fmt: skip


def arguments(name: str) -> list[str]:
    """The checked arguments, and the parent's model if a step has fetched one."""
    words = temporary(name).read_bytes().decode().split("\0")[:-1]
    fetched = os.environ.get("PARENT")
    return [*words, *([f"--pretrained_model={fetched}"] if fetched else [])]


def data(*, writable: bool) -> list[str]:
    """The data set's folder, and a model of the repository that lies outside the experiments folder."""
    options = []
    if dataset := os.environ.get("DATASET"):
        options.append(mount(Path(dataset), WORKSPACE / dataset, writable=writable))
    model = os.environ.get("MODEL")
    if model:
        options.append(mount(Path(model), WORKSPACE / model, writable=False))
    return options


def mount(source: Path, target: Path, *, writable: bool) -> str:
    """The option that shows a folder or file of this machine in the container."""
    return f"--mount=type=bind,source={source.absolute()},target={target}{'' if writable else ',readonly'}"


def network(*, wanted: bool) -> list[str]:
    """No network, unless this stage has to fetch something."""
    return [] if wanted else ["--network=none"]


def gpu() -> list[str]:
    """All GPUs, if there are any: docker refuses to start with `--gpus` where there are none."""
    found = shutil.which("nvidia-smi")
    works = found is not None and subprocess.run([found, "-L"], capture_output=True, check=False).returncode == 0
    if not works and os.environ.get("RUNNER_KIND") == "self-hosted-gpu":
        raise UserError(
            "this runner has no working GPU: nvidia-smi -L fails", "docs/workflows.md says how to set one up"
        )
    return ["--gpus=all"] if works else []


if __name__ == "__main__":
    run(main)
