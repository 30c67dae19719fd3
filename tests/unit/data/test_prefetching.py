"""Tests of the prefetching threads."""

import threading

import pytest

from image_classifier.data.prefetching import prefetched


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_results_come_in_the_order_of_the_arguments(workers):
    gates = {number: threading.Event() for number in range(20)}

    def square(number):
        if workers > 1 and number % 2 == 0:
            # The odd one after it finishes first.
            gates[number + 1].wait(10)
        gates[number].set()
        return number**2

    assert list(prefetched(square, range(20), workers)) == [number**2 for number in range(20)]
    assert not threads()


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_an_exception_in_a_worker_reaches_the_consumer_after_the_results_before_it(workers):
    results = prefetched(lambda number: 1 // (3 - number), range(10), workers)
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert not threads()


def test_leaving_early_leaves_no_thread():
    results = prefetched(abs, range(1000), 3)
    assert next(results) == 0
    assert threads()
    results.close()
    assert not threads()


def test_only_a_few_results_are_computed_ahead():
    asked = []
    results = prefetched(lambda number: number, (asked.append(n) or n for n in range(100)), 2)
    next(results)
    assert len(asked) == 3
    results.close()
