"""The program's end: refusals in words on stderr, exit code 2, and nothing that a cluster does not have."""

import os
import subprocess
import sys

from image_classifier.pipelines import extraction


def test_a_refusal_is_an_error_with_a_hint_and_exit_code_2(capsys):
    words = ["--source", "in", "--scope_column", "site", "--output", "out", "--scopes", "a,b"]
    assert extraction.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: --scopes is no list of texts: a,b\n hint: ")


def test_a_password_is_not_shown_wherever_it_turns_up(capsys, monkeypatch, tmp_path):
    """A word of the command line that is the password by mistake is the worst that can happen."""
    monkeypatch.setenv("DB_PASS", "canary")
    words = ["--source", "jdbc:postgresql://h/d", "--table", "t", "--scope_column", "site", "--output", "out"]
    assert extraction.main([*words, "--scopes", '["a"]', "--jars", f"{tmp_path}/canary.jar"]) == 2
    err = capsys.readouterr().err
    assert f"there is no file {tmp_path}/***.jar" in err
    assert "canary" not in err


def test_it_can_be_imported_with_the_standard_library_and_the_package_alone(repository):
    """As in a cluster, whose Spark gets the wheel and nothing that the wheel asks for."""
    code = "from image_classifier.pipelines import extraction; sys.exit(extraction.main(['--help']))"
    command = [sys.executable, "-IS", "-c", f"import sys; sys.path.append({str(repository)!r}); {code}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--scope_column" in done.stdout


def test_a_java_that_cannot_run_spark_is_an_error_in_words(tmp_path, repository):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "java").chmod(0o755)
    words = ["--source", "in", "--scope_column", "site", "--output", "out", "--scopes", '["a"]']
    command = [sys.executable, "-m", "image_classifier.pipelines.extraction", *words]
    environment = os.environ | {"JAVA_HOME": str(tmp_path), "PYTHONPATH": str(repository)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "error: Spark does not start" in done.stderr
    assert " hint: Spark 4 needs Java 17" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
