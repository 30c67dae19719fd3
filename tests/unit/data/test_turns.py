"""One at a time makes a store, and what killed ones left goes."""

import logging
import os
import threading

import pytest

from image_classifier import files
from image_classifier.data.turns import only_maker, remove_stale

pytestmark = pytest.mark.unit


def test_a_second_waits_until_the_first_has_ended_and_nothing_is_left(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    final, order, waits = tmp_path / "store", [], threading.Event()

    class Waits(logging.Handler):
        def emit(self, record):
            waits.set()

    def second():
        with only_maker(final, "k") as waited:
            order.append(("second", waited))

    logger, handler = logging.getLogger("image_classifier.data.turns"), Waits()
    logger.addHandler(handler)
    with only_maker(tmp_path / "other", "k"), only_maker(final, "other"), only_maker(final, "k") as waited:
        other = threading.Thread(target=second)
        other.start()
        assert waits.wait(5)
        order.append(("first", waited))
    other.join()
    logger.removeHandler(handler)
    assert order == [("first", False), ("second", True)]
    assert len(caplog.messages) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_maker_leaves_nothing_behind(tmp_path):
    with pytest.raises(ZeroDivisionError), only_maker(tmp_path / "store", "k"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_is_old_and_unlocked_goes(tmp_path):
    final = tmp_path / "store"
    for name in (
        ".store.lock_k.tmp",
        ".store.x1.tmp",
        ".other.x1.tmp",
        f".{'0' * 64}.x1.tmp",
        "store",
        ".store.held.tmp",
    ):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / ".store.new.tmp").mkdir()
    with files.lock(tmp_path / ".store.held.tmp"):
        remove_stale(final)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".other.x1.tmp", "store", ".store.held.tmp", ".store.new.tmp"}
