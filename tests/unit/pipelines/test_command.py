import os
import signal
import subprocess
import sys

import pytest

from image_classifier.pipelines import command


def python(script):
    return [sys.executable, "-c", script]


def test_what_a_command_says_is_shown_and_its_end_is_kept(capfd):
    script = "import sys; sys.stderr.write('progress\\nerror: no disk\\n hint: buy one\\n'); sys.exit(2)"
    with pytest.raises(command.FailedError) as failed:
        command.run(python(script))
    assert failed.value.what == "no disk\n hint: buy one"
    assert failed.value.exit_code == 2
    assert "progress\nerror: no disk" in capfd.readouterr().err


def test_a_command_that_ends_well_is_no_error(capfd):
    command.run(python("print('answer')"))
    assert capfd.readouterr().out == "answer\n"


def test_a_bug_is_kept_with_its_traceback():
    with pytest.raises(command.FailedError, match=r"Traceback[\s\S]*ZeroDivisionError") as failed:
        command.run(python("1 / 0"))
    assert failed.value.exit_code == 1


def test_a_command_that_the_kernel_ends_says_by_which_signal():
    script = "import os; os.kill(os.getpid(), 9)"
    with pytest.raises(command.FailedError, match="ended by SIGKILL") as failed:
        command.run(python(script))
    assert failed.value.exit_code == 128 + signal.SIGKILL


def test_a_silent_failure_says_so():
    with pytest.raises(command.FailedError, match="it said nothing"):
        command.run(python("raise SystemExit(3)"))


def test_no_secret_of_the_environment_or_an_address_is_kept(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary/key")
    monkeypatch.setenv("DB_PASS", "canary-pass")
    script = (
        'import os, sys; sys.stderr.write(f\'error: {os.environ["AWS_SECRET_ACCESS_KEY"]} '
        '{os.environ["DB_PASS"]} postgresql://user:canary-url@host/x\'); sys.exit(2)'  # pragma: allowlist secret
    )
    with pytest.raises(command.FailedError) as failed:
        command.run(python(script))
    assert failed.value.what == "*** *** postgresql://***@host/x"


def test_a_long_text_keeps_its_end():
    assert command.said([f"line {number}\n" for number in range(1000)]).endswith("line 999")
    assert len(command.said(["x" * 10_000])) == 2000


def test_a_program_is_found_on_the_path_or_beside_the_interpreter(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command.program("image_classifier") == f"{os.path.dirname(sys.executable)}/image_classifier"
    (tmp_path / "image_classifier").write_text("")
    (tmp_path / "image_classifier").chmod(0o755)
    assert command.program("image_classifier") == str(tmp_path / "image_classifier")


def test_a_step_that_is_stopped_stops_its_command():
    inner = "import time; print('begun', flush=True); time.sleep(600)"
    script = (
        "import sys; from image_classifier.pipelines import command, program; "
        f"sys.exit(program.ended(lambda: command.run([sys.executable, '-c', {inner!r}])))"
    )
    step = subprocess.Popen(python(script), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert step.stdout.readline() == "begun\n"
    step.terminate()
    said = step.communicate(timeout=60)[1]  # until the command, which has the same streams, is gone too
    assert step.returncode == 143
    assert "stopped by SIGTERM" in said
