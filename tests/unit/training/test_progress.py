"""A training shows itself by a line for each epoch, or by a bar on a terminal."""

import io
import logging
import sys

import pytest

from image_classifier.training.loop import EpochReport, Step
from image_classifier.training.progress import ProgressBar

pytestmark = pytest.mark.unit


REPORT = EpochReport(epoch=1, loss=0.5, acc=0.25, val_loss=1.0, val_acc=0.75, lr=0.1, seconds=2.04)
LINE = "epoch 1/2  loss 0.5000  acc 0.2500  val_loss 1.0000  val_acc 0.7500  2.0 s"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_where_there_is_no_terminal_each_epoch_is_one_line(caplog, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with caplog.at_level(logging.INFO), ProgressBar(2, 2, 0, 0) as bar:
        bar.update(Step(0, 1, 2))
        bar.update(Step(0, 2, 2, REPORT))
        bar.update(Step(1, 2, 2, EpochReport(2, 0.5, 0.25, None, None, 0.1, 1)))
    assert caplog.messages == [LINE, "epoch 2/2  loss 0.5000  acc 0.2500  1.0 s"]
    assert sys.stderr.getvalue() == ""


def test_a_terminal_shows_the_steps_of_a_training_that_goes_on(caplog, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with caplog.at_level(logging.INFO), ProgressBar(2, 2, 0, 1) as bar:
        bar.update(Step(0, 2, 2, REPORT))
    assert "2/4" in sys.stderr.getvalue()
    assert LINE in sys.stderr.getvalue()
    assert caplog.messages == []
