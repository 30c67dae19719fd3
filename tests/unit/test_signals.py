"""A stop is raised at once, or kept for a good moment; the handlers of before come back."""

import os
import signal
import subprocess
import sys

import pytest

from image_classifier import signals

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_is_raised_with_the_shells_exit_code(number, code):
    before = signal.getsignal(number)
    with pytest.raises(signals.Stopped) as caught, signals.raised():
        os.kill(os.getpid(), number)
    assert caught.value.exit_code == code
    assert signal.getsignal(number) is before


def test_a_deferred_stop_waits_until_it_is_honoured():
    done = []
    with pytest.raises(signals.Stopped), signals.deferred() as stop:
        stop.honour()
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("checkpoint")
        stop.honour()
        done.append("never")
    assert done == ["checkpoint"]


def test_a_second_request_is_not_deferred():
    with pytest.raises(signals.Stopped), signals.deferred():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the second one should have been raised")


def test_a_postponed_stop_is_raised_when_its_time_is_over():
    done = []
    with pytest.raises(signals.Stopped) as caught, signals.raised():
        with signals.postponed():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("imported")
        done.append("never")
    assert caught.value.exit_code == 143
    assert done == ["imported"]


def test_a_stop_postponed_within_a_deferral_is_left_to_it():
    with signals.deferred() as stop:
        with signals.postponed():
            os.kill(os.getpid(), signal.SIGINT)
        assert stop.number == signal.SIGINT


# Python swallows what a weak reference's callback raises, and each import has such callbacks.
STOPPED_WHILE_IMPORTING = """
import os, signal, sys, weakref
from image_classifier import main

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "image_classifier.cli.runs":
            lost = lambda _: os.kill(os.getpid(), signal.SIGTERM)
            here = Finder()
            seen = weakref.ref(here, lost)
            del here

sys.meta_path.insert(0, Finder())
sys.exit(main.main(["runs"]))
"""


def test_a_stop_that_comes_while_a_command_is_imported_is_not_lost(tmp_path):
    command = [sys.executable, "-c", STOPPED_WHILE_IMPORTING]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "stopped by SIGTERM\n")
