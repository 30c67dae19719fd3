"""How long work shows itself, on a terminal and in a log."""

import logging
import os
import pty
import select
import termios

import pytest

from image_classifier.data import progress
from image_classifier.data.progress import Progress, line

pytestmark = pytest.mark.unit


def test_a_line_tells_what_is_done_the_rate_and_what_is_left():
    assert (
        line("preparing", "images", 120_000, 500_000, 30) == "preparing: 120,000 of 500,000 images, 4,000/s, 95 s left"
    )
    assert line("reading", "rows", 120_000, None, 30) == "reading: 120,000 rows, 4,000/s"


def test_a_log_gets_a_line_where_it_is_time_and_none_before(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    with Progress("preparing", "images", 8) as shown:
        shown.add(2)
        assert not caplog.messages
        monkeypatch.setattr(progress, "_SECONDS", 0)
        shown.add(2)
        shown.add(2)
    assert [text.split(" images")[0] for text in caplog.messages] == ["preparing: 4 of 8", "preparing: 6 of 8"]
    with Progress("preparing", "images", 8, quiet=True) as shown:
        shown.add(2)
    assert len(caplog.messages) == 2


def test_a_terminal_shows_the_share_the_rate_and_what_is_left(caplog, monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS", 0)
    caplog.set_level(logging.INFO)
    own, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    with os.fdopen(terminal, "w") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        with Progress("preparing", "images", 8) as shown:
            shown.add(4)
            shown._bar.refresh()
            text = ""
            while "50%" not in text and select.select([own], [], [], 5)[0]:  # it comes in pieces
                text += os.read(own, 10_000).decode()
    os.close(own)
    assert "preparing" in text
    assert "50%" in text
    assert "4/8" in text
    assert "images/s" in text
    assert not caplog.messages
