"""container.py, collect.py and summary.py: what the trainer may touch, and what is kept of a run."""

import json
import signal
import subprocess
import sys
import time

import pytest
from steps import SCRIPTS, job, refused


@pytest.fixture
def training(tmp_path, repository):
    """A job whose request was checked: training(words) writes the arguments."""
    made = job(tmp_path, **{"photos/cat/1.png": "x", "models/base.pth": "x"})
    made.variables = {"IMAGE": "sha256:none", "GITHUB_SHA": "0" * 40, "RUN_FOLDER": "pets/first", "CONTAINER": "c"}

    def ask(*words):
        for name in ("train", "prepare"):
            (made.temporary / f"arguments.{name}").write_bytes(b"".join(word.encode() + b"\0" for word in words))
        return made

    return ask


@pytest.fixture
def command(training, monkeypatch, tmp_path):
    """The `docker run` that a stage would become: command(stage, *words, **variables)."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import container

    def compose(stage, *words, **variables):
        made = training(*words)
        monkeypatch.chdir(made.workspace)
        for name, value in {**made.variables, "RUNNER_TEMP": made.temporary, **variables}.items():
            monkeypatch.setenv(name, str(value))
        return getattr(container, stage)()

    return compose


def test_no_stage_has_a_network_unless_it_fetches(command):
    assert "--network=none" in command("prepare", "--dataset_folder=photos", DATASET="photos")
    assert "--network=none" not in command("prepare", DATASET="data/cifar_dataset")
    assert "--network=none" in command("train", DATASET="data/cifar_dataset")
    assert "--network=none" not in command("train", "--pretrained_model=torchvision")
    assert "--network=none" not in command("train", "--pretrained_model=imagenet")
    assert "--network=none" in command("notify")


@pytest.mark.parametrize("stage", ["prepare", "train", "notify"])
def test_every_stage_has_the_callers_rights_and_no_others(stage, command):
    composed = command(stage)
    for option in ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--shm-size=1g"):
        assert option in composed
    assert any(option.startswith("--user=") for option in composed)
    assert not any("docker.sock" in option or option == "--privileged" for option in composed)


def test_data_and_models_of_the_repository_can_be_read_only(command, training):
    composed = command("train", DATASET="photos", MODEL="models/base.pth")
    workspace = training().workspace
    for name in ("photos", "models/base.pth"):
        assert f"--mount=type=bind,source={workspace}/{name},target=/workspace/{name},readonly" in composed


def test_the_database_password_is_passed_by_name_and_to_the_training_alone(command):
    for stage, given in (("prepare", False), ("train", True), ("notify", False)):
        composed = command(stage, DB_PASS="sesame")  # noqa: S106
        assert "sesame" not in " ".join(composed)
        assert ("--env=DB_PASS" in composed) == given


def test_a_database_is_read_by_the_training_alone_which_has_the_network_for_it(command):
    words, data = ("--dataset_folder=database", "--db_connect=db_connect.yaml"), {"DATASET": "db_connect.yaml"}
    with pytest.raises(SystemExit) as ended:
        command("prepare", *words, **data)
    assert ended.value.code == 0
    composed = command("train", *words, DB_PASS="sesame", **data)  # noqa: S106
    assert "--network=none" not in composed
    assert "--env=DB_PASS" in composed
    assert any("target=/workspace/db_connect.yaml,readonly" in option for option in composed)


def test_an_empty_password_is_not_passed(command):
    assert "--env=DB_PASS" not in command("train", DB_PASS="")


TRACKED = {
    "MLFLOW_TRACKING_URI": "http://me:sesame@host",  # pragma: allowlist secret
    "MLFLOW_S3_ENDPOINT_URL": "http://s3",
    "AWS_ACCESS_KEY_ID": "sesame",
    "AWS_SECRET_ACCESS_KEY": "sesame",  # pragma: allowlist secret
}


def test_only_the_training_is_tracked_and_secrets_are_passed_by_name(command):
    for stage in ("prepare", "train", "notify"):
        composed = command(stage, **TRACKED)
        assert "sesame" not in " ".join(composed)
        assert [f"--env={name}" in composed for name in TRACKED] == [stage == "train"] * 4
        assert ("--env=MLFLOW_TRACKING_URI=off" in composed) == (stage != "train")
        assert ("--network=none" in composed) == (stage != "train")


def test_without_a_tracking_server_the_training_has_no_network_and_no_keys(command):
    composed = command("train", **TRACKED | {"MLFLOW_TRACKING_URI": ""})
    assert "--network=none" in composed
    assert "--env=MLFLOW_TRACKING_URI=off" in composed
    assert [option for option in composed if "AWS" in option or "S3" in option] == []


@pytest.fixture
def ending(training, tmp_path):
    """ending(script) is the step of a tracked training in whose place `script` runs."""
    program = tmp_path / "bin/docker"
    program.parent.mkdir()

    def end(script):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return training().run("container.py", "train", PATH=f"{program.parent}:/usr/bin:/bin", **TRACKED)

    return end


@pytest.mark.parametrize(("code", "ends", "sent"), [(0, 0, "true"), (4, 0, "false"), (2, 2, None), (143, 143, None)])
def test_a_run_that_only_the_tracking_server_lacks_did_not_fail(code, ends, sent, ending):
    step = ending(f"exit {code}")
    assert (step.code, step.outputs.get("sent")) == (ends, sent)
    assert ("::warning::" in step.stdout) == (code == 4)


def test_a_tracked_training_gets_the_signals_of_its_step(ending):
    step = ending("trap 'exit 130' INT; kill -INT $PPID; sleep 5 & wait; exit 1")
    assert step.code == 130


def test_the_fetched_parent_is_the_last_argument(command):
    composed = command("train", "--model=cnn", PARENT=".parents/7/pets/first/model.pth")
    assert composed[-2:] == ["--model=cnn", "--pretrained_model=.parents/7/pets/first/model.pth"]


def test_a_gpu_is_used_only_where_the_driver_answers(command, tmp_path):
    driver = tmp_path / "nvidia-smi"
    for answer, wanted in (("exit 9", False), ("echo 'GPU 0: some'", True)):
        driver.write_text(f"#!/bin/sh\n{answer}\n")
        driver.chmod(0o755)
        assert ("--gpus=all" in command("train", PATH=f"{tmp_path}:/usr/bin:/bin")) == wanted


def test_a_gpu_runner_without_a_gpu_is_refused(training, tmp_path):
    made = training("--model=cnn")
    made.variables["PATH"] = "/nowhere"
    assert refused(
        made.run("container.py", "train", RUNNER_KIND="self-hosted-gpu"), "no working GPU", "docs/workflows.md"
    )


def test_an_unknown_stage_is_refused(training):
    assert refused(training().run("container.py", "publish"), "is no stage", "train")


def test_without_an_image_nothing_is_run(training):
    assert refused(training().run("container.py", "train", IMAGE=""), "has no IMAGE", "workflow")


def finish(made, folder="pets/first", **files):
    path = made.workspace / "experiments" / folder
    path.mkdir(parents=True)
    for name, content in files.items():
        (path / name).write_text(content)
    return path


def test_the_artifact_has_the_runs_files_under_its_name(training):
    made = training()
    finish(made, **{"model.pth": "m", "run.json": "{}", ".lock": "", "half.tmp": ""})
    finish(made, folder="pets/another", **{"model.pth": "not this one"})
    step = made.run("collect.py")
    found = made.temporary / "results"
    assert step.outputs == {"folder": str(found)}
    assert {str(path.relative_to(found)) for path in found.rglob("*") if path.is_file()} == {
        "pets/first/model.pth", "pets/first/run.json",
    }  # fmt: skip


def test_without_a_run_folder_there_is_no_artifact(training):
    made = training()
    assert (made.run("collect.py").code, made.run("collect.py").outputs) == (0, {})
    finish(made, **{".lock": ""})
    assert made.run("collect.py").outputs == {}


def test_a_link_does_not_bring_another_file_into_the_artifact(training):
    made = training()
    finish(made, **{"run.json": "{}"}).joinpath("model.pth").symlink_to("/etc/passwd")
    assert refused(made.run("collect.py"), "model.pth is no regular file")
    assert not (made.temporary / "results").exists()


def summary(made, **variables):
    return made.run(
        "summary.py", **{"TRAINED": "success", "ARTIFACT_URL": "https://github.com/o/r/actions/1"} | variables
    )


def test_the_summary_is_what_notify_wrote_and_a_link(training):
    made = training()
    (made.temporary / "summary").mkdir()
    (made.temporary / "summary" / "summary.md").write_text("## pets/first\n\n97 %\n")
    written = summary(made).summary
    assert written.startswith("## pets/first\n\n97 %\n")
    assert "[Download the run folder](https://github.com/o/r/actions/1)" in written


@pytest.mark.parametrize(
    ("trained", "words"),
    [
        ("failure", "did not finish"),
        ("cancelled", "was stopped"),
        ("skipped", "did not finish"),
        ("success", "was finished, but"),
    ],
)
def test_a_run_without_figures_has_a_summary_too(trained, words, training):
    written = summary(training(), TRAINED=trained, ARTIFACT_URL="").summary
    assert f"pets/first {words}" in written
    assert "No artifact" in written


def test_a_summary_larger_than_github_takes_is_cut(training):
    made = training()
    (made.temporary / "summary").mkdir()
    (made.temporary / "summary" / "summary.md").write_text("é" * 2_000_000)
    written = summary(made).summary
    assert len(written.encode()) < 1 << 20
    assert "Download the run folder" in written


PAGE = "https://mlflow.example.org/team/#/experiments/12/runs/" + "0f" * 16


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        ({"tracking": {"pages": {"there": PAGE}}}, f"[The run in MLflow]({PAGE})"),
        ({"tracking": {"pages": {"there": PAGE.replace("//", "//me@")}}}, ""),
        ({"tracking": {"pages": {"there": PAGE.replace("team/", "team/?key=x")}}}, ""),
        ({"tracking": {"pages": {"there": f"{PAGE})\n# evil"}}}, ""),
        ({"tracking": {"pages": {}}}, ""),
        ({"tracking": []}, ""),
        ([], ""),
    ],
)
def test_the_summary_links_to_the_run_in_mlflow(record, shown, training):
    made = training()
    finish(made, **{"run.json": json.dumps(record)})
    written = summary(made, SENT="true").summary
    assert ("MLflow" in written) == bool(shown)
    assert shown in written


def test_the_summary_of_a_run_that_was_not_sent_says_how_to_send_it(training):
    written = summary(training(), SENT="false").summary
    assert "**Not sent to MLflow**" in written
    assert "`image_classifier track pets/first --tracking_uri URL` sends it" in written


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://x/) [evil](https://y/", "https://x/\n# y"])
def test_an_address_that_is_none_is_no_link(address, training):
    assert "](" not in summary(training(), ARTIFACT_URL=address).summary


def test_a_cancelled_training_keeps_its_checkpoint(training, image, docker):
    """GitHub interrupts the step's process; the container must hear of it."""
    made = training(
        "--dataset_folder=digits", "--model=cnn", "--num_epochs=100000", "--experiment_name=pets", "--run_name=first"
    )
    variables = made.variables | {
        "IMAGE": docker("image", "inspect", "--format", "{{.Id}}", image).stdout.strip(),
        "RUNNER_TEMP": str(made.temporary), "CONTAINER": f"cancelled-{made.temporary.parent.name}",
    }  # fmt: skip
    folder = made.workspace / "experiments/pets/first"
    script = ["bash", "-eo", "pipefail", "-c", 'exec "$0" "$1" train', sys.executable, SCRIPTS / "container.py"]
    step = subprocess.Popen(script, cwd=made.workspace, env=docker.environment | variables)
    try:
        while not (folder / "training_history.csv").exists():
            assert step.poll() is None
            time.sleep(0.1)
        step.send_signal(signal.SIGINT)
        assert step.wait(timeout=60) == 130
    finally:
        docker("rm", "--force", variables["CONTAINER"], check=False)
    assert (folder / "checkpoint.pth").is_file()
    assert made.run("collect.py").code == 0
    assert (made.temporary / "results/pets/first/checkpoint.pth").is_file()
