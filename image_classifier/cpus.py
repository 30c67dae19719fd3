"""The CPUs that this process may use, and how many threads are too many for them."""

import math
import os
from pathlib import Path

from image_classifier.errors import UserError

# A result depends on the number of threads, so a run of a larger machine must be possible here: few machines have more
# CPUs than this. On 2 CPUs a step with 256 threads takes 60 times as long as one with 2, and does come to its end.
_OF_LARGE_MACHINES = 256
_THREADS_A_CPU = 4
_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # what `docker run --cpus` and Kubernetes' limits set


def available_cpus() -> int:
    """The CPUs this process may use: its affinity, and no more than a container's quota."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
    except (OSError, ValueError):  # no control group of version 2
        return allowed
    return allowed if quota == "max" else min(allowed, max(1, math.ceil(int(quota) / int(period))))


def most_threads() -> int:
    """The number of threads above which they are so many for these CPUs that the machine stands still."""
    return max(_OF_LARGE_MACHINES, _THREADS_A_CPU * available_cpus())


def refuse_too_many_threads(threads: int, at_once: int = 1) -> None:
    """Refuse what would bring the machine to a stand: so many threads in each of so many runs at a time."""
    most = most_threads()
    if threads * at_once <= most:
        return
    runs = f" in each of {at_once} runs at a time" if at_once > 1 else ""
    cpus = available_cpus()
    raise UserError(
        f"num_threads {threads}{runs} is far more than this process has CPUs, which is {cpus}",
        f"give at most {most} threads in all, or leave num_threads out",
    )
