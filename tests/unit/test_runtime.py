"""What auto stands for, and the switches that make a training repeat."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from image_classifier import runtime
from image_classifier.cpus import available_cpus
from image_classifier.errors import UserError

pytestmark = pytest.mark.unit


def test_auto_takes_bf16_only_where_the_processor_multiplies_in_it():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[1].split("\n", 1)[0].split()
    expected = "bf16" if {"avx512_bf16", "amx_bf16"} & set(flags) else "fp32"
    found = runtime.resolve("auto", "auto", "auto")
    assert (found.device, found.precision) == ("cpu", expected)


def test_auto_takes_the_cpus_this_process_may_use():
    assert runtime.resolve("auto", "auto", "auto").num_threads == available_cpus()


def test_far_too_many_threads_are_refused():
    with pytest.raises(UserError, match="num_threads 9999 is far more"):
        runtime.resolve("auto", "auto", "9999")


def test_what_is_asked_for_is_taken():
    found = runtime.resolve("cpu", "bf16", "3")
    assert (found.device, found.precision, found.num_threads) == ("cpu", "bf16", 3)


def test_a_gpu_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match="no GPU"):
        runtime.resolve("cuda", "auto", "auto")


def test_activation_makes_torch_deterministic_without_loading_its_compiler():
    code = (
        "import sys, torch; from image_classifier import runtime\n"
        "runtime.activate(runtime.resolve('auto', 'auto', '1'))\n"
        "print(torch.are_deterministic_algorithms_enabled(), torch.get_num_threads(), 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "1", "False"]


def test_memory_that_was_freed_is_used_again_without_page_faults():
    code = (
        "import resource, torch; from image_classifier import runtime\n"
        "runtime.keep_freed_memory(); runtime.keep_freed_memory()\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "torch.ones(50_000_000); before = faults(); torch.ones(50_000_000); print(faults() - before)\n"
        "print(any(line.startswith('VmFlags') and ' hg' in line for line in open('/proc/self/smaps')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    faults, advised = done.stdout.split()
    assert int(faults) < 100  # 48,829 pages of 4 KB
    assert advised == "True"


def test_the_versions_that_compute_are_named():
    assert set(runtime.versions()) == {"torch", "torchvision", "numpy", "pillow", "scikit-learn"}
    assert runtime.versions()["torch"] == torch.__version__.split("+")[0] or "+" in runtime.versions()["torch"]
