import os
import signal

import pytest

from image_classifier.errors import UserError
from image_classifier.pipelines import program


def refuse(error):
    def work():
        raise error

    return work


def test_the_works_own_code_is_the_programs():
    assert program.ended(lambda: 3) == 3


def test_an_error_is_said_with_its_hint_and_without_secrets(capsys):
    assert program.ended(refuse(UserError("no s3://user:canary@host/x", "look"))) == 2  # pragma: allowlist secret
    assert capsys.readouterr().err == "error: no s3://***@host/x\n hint: look\n"


def test_an_error_of_the_system_is_said_without_a_traceback(capsys):
    assert program.ended(refuse(OSError(28, "No space left on device"))) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_stop_has_the_shells_code(capsys):
    assert program.ended(lambda: os.kill(os.getpid(), signal.SIGTERM)) == 143
    assert capsys.readouterr().err == "stopped by SIGTERM\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        program.ended(lambda: 1 // 0)
