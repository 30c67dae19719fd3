"""A stop is raised at once, or kept for a good moment; the handlers of before come back."""

import os
import signal

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
