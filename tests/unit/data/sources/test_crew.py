"""Tests of the threads that pull: all tasks are done once, several at a time, and the first error ends them."""

import threading

import pytest

from image_classifier.data.sources.crew import each_done


def test_every_task_is_done_once_with_its_result():
    done = list(each_done(lambda number: number * number, range(100), 8))
    assert sorted(done) == [(number, number * number) for number in range(100)]


def test_several_are_at_work_at_a_time():
    together = threading.Barrier(4, timeout=10)  # breaks unless four wait in it at once
    assert len(list(each_done(lambda _: together.wait(), range(8), 4))) == 8


def test_the_first_error_is_raised_and_no_further_task_is_begun():
    begun = []

    def work(number):
        begun.append(number)
        if number == 3:
            raise ValueError("the fourth")
        return number

    with pytest.raises(ValueError, match="the fourth"):
        list(each_done(work, iter(range(1000)), 1))
    assert begun == [0, 1, 2, 3]


def test_who_wants_no_more_ends_it():
    begun = []
    results = each_done(begun.append, iter(range(10**9)), 2)
    next(results)
    results.close()
    assert len(begun) < 10**6


def test_an_error_of_what_gives_the_tasks_is_raised():
    def tasks():
        yield 1
        raise OSError("the list ended early")

    with pytest.raises(OSError, match="ended early"):
        list(each_done(lambda number: number, tasks(), 3))
