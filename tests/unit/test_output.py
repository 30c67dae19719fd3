"""Printing where it cannot be: the work is done all the same, and the exit code is the one that it earned."""

import io
import os
import pty
import sys

import pytest

from image_classifier import files, output
from image_classifier.cli import config
from image_classifier.errors import NotSentError
from image_classifier.main import main

pytestmark = pytest.mark.unit

PRINTS = ["config", "--as", "reference"]
MISTAKE = ["config", "--as", "yml"]


def without_a_reader():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.fixture(params=[True, False], ids=["unbuffered", "buffered"])
def stdout(request, monkeypatch):
    """Makes a descriptor this process's stdout, as Python itself would open it."""

    def become(descriptor):
        stream = io.TextIOWrapper(os.fdopen(descriptor, "wb"), encoding="utf-8", write_through=request.param)
        monkeypatch.setattr(sys, "stdout", stream)
        return stream

    return become


@pytest.mark.parametrize(("arguments", "code"), [(PRINTS, 0), (MISTAKE, 2), (["--help"], 0)])
def test_a_reader_that_has_left_changes_no_exit_code(arguments, code, stdout, capsys):
    stream = stdout(without_a_reader())
    assert main(arguments) == code
    assert "could not be written" not in capsys.readouterr().err
    stream.close()  # as Python does at its end: nothing is left that could fail


@pytest.mark.parametrize("arguments", [PRINTS, ["--help"], ["runs", "--help"]])
def test_a_full_disk_under_the_output_is_an_error_that_says_so(arguments, stdout, capsys):
    stream = stdout(os.open("/dev/full", os.O_WRONLY))
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert "error: the output could not be written: [Errno 28] No space left on device\n hint: " in told
    stream.close()


def test_a_command_that_failed_keeps_its_exit_code_on_a_full_disk(stdout, monkeypatch, capsys):
    stream = stdout(os.open("/dev/full", os.O_WRONLY))

    def unsent(_):
        sys.stdout.write("trained\n")
        raise NotSentError("it is complete, but was not sent")

    monkeypatch.setattr(config, "run", unsent)
    assert main(PRINTS) == 4
    assert capsys.readouterr().err.count("error: ") == 2
    stream.close()


def test_work_goes_on_after_a_print_that_nobody_reads(stdout, tmp_path):
    stream = stdout(without_a_reader())
    with output.guarded() as (out, _):
        sys.stdout.write("one\n")
        sys.stdout.flush()
        (tmp_path / "done").touch()
        sys.stdout.write("two\n")
    assert (tmp_path / "done").exists()
    assert out.reader_left
    stream.close()


def test_a_terminal_that_is_closed_meanwhile_is_a_reader_that_has_left(stdout):
    window, end = pty.openpty()
    stream = stdout(end)
    with output.guarded() as (out, _):
        os.close(window)
        sys.stdout.write("one\n")
    assert out.reader_left
    stream.close()


def test_a_failing_stderr_costs_nothing(monkeypatch):
    stream = io.TextIOWrapper(os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb"), line_buffering=True)
    monkeypatch.setattr(sys, "stderr", stream)
    assert main(MISTAKE) == 2
    assert main(PRINTS) == 0
    stream.close()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_character_that_the_terminal_lacks_is_shown_by_its_number(encoding, monkeypatch):
    taken = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(taken, encoding=encoding))
    with output.guarded() as (out, _):
        sys.stdout.write("0.9–1.0 \udce9 é\n")
    accent = "\\xe9" if encoding == "ascii" else "é"
    assert taken.getvalue().decode(encoding) == f"0.9\\u20131.0 \\udce9 {accent}\n"
    assert out.error is None


def test_the_table_of_runs_is_printed_where_the_terminal_knows_only_ascii(tmp_path, monkeypatch, made, report):
    run = made(tmp_path / "e" / "r", dataset_folder="chats/été")
    files.write_json(run.path("metrics.json"), report)
    taken = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(taken, encoding="ascii"))
    assert main(["runs", "--experiments_folder", str(tmp_path)]) == 0
    last = taken.getvalue().decode("ascii").splitlines()[-1]
    (low, high), figures = report["accuracy_ci95"], (report["accuracy"], report["val"]["accuracy"])
    shown = [f"{figures[0]:.4f}", f"{low:.4f}\\u2013{high:.4f}", f"{figures[1]:.4f}"]
    assert last.split() == ["e/r", "finished", "cnn", "chats/\\xe9t\\xe9", *shown]


def test_the_error_of_a_command_names_no_output_that_has_nothing_to_do_with_it(monkeypatch, capsys):
    def broken(_):
        raise OSError("the volume is gone")

    monkeypatch.setattr(config, "run", broken)
    assert main(PRINTS) == 2
    assert capsys.readouterr().err.startswith("error: the volume is gone\n hint: ")
