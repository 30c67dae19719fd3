"""What auto stands for, and the switches that make a training repeat."""

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


def test_the_versions_that_compute_are_named():
    assert set(runtime.versions()) == {"torch", "torchvision", "numpy", "pillow", "scikit-learn"}
    assert runtime.versions()["torch"] == torch.__version__.split("+")[0] or "+" in runtime.versions()["torch"]
