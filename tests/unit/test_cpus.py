"""How many CPUs a process may use, and how many threads are refused."""

import os
import subprocess
import sys

import pytest

from image_classifier import cpus
from image_classifier.errors import UserError

pytestmark = pytest.mark.unit


@pytest.fixture
def quota(tmp_path, monkeypatch):
    """Sets a container's quota on a machine with eight CPUs, as the kernel would write it."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(cpus, "_QUOTA", tmp_path / "cpu.max")
    return (tmp_path / "cpu.max").write_text


def test_without_a_quota_these_are_the_cpus_of_the_affinity():
    code = "from image_classifier.cpus import available_cpus; print(available_cpus())"
    cpu = min(os.sched_getaffinity(0))
    done = subprocess.run(["taskset", "-c", str(cpu), sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("", 8),
    ],
)
def test_a_containers_quota_is_counted_in_whole_cpus(quota, text, expected):
    quota(text)
    assert cpus.available_cpus() == expected


def test_without_control_groups_there_is_no_quota(quota):
    assert cpus.available_cpus() == 8


@pytest.mark.parametrize(("threads", "at_once"), [(257, 1), (9999, 1), (129, 2), (8, 64)])
def test_far_more_threads_than_cpus_are_refused_with_both_numbers(quota, threads, at_once):
    with pytest.raises(UserError, match=rf"num_threads {threads}\b.* CPUs, which is 8") as caught:
        cpus.refuse_too_many_threads(threads, at_once)
    assert "256" in caught.value.hint


@pytest.mark.parametrize(("threads", "at_once"), [(1, 1), (9, 1), (256, 1), (4, 64)])
def test_a_run_of_a_larger_machine_can_be_trained_here(quota, threads, at_once):
    cpus.refuse_too_many_threads(threads, at_once)


def test_a_machine_with_many_cpus_may_have_more_threads(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(384)))
    cpus.refuse_too_many_threads(4 * 384)
    with pytest.raises(UserError, match="384"):
        cpus.refuse_too_many_threads(4 * 384 + 1)
