"""Where predict computes."""

from pathlib import Path

import pytest

from image_classifier import runtime
from image_classifier.runs import Run
from image_classifier.stages import predict

pytestmark = pytest.mark.unit


def test_scikit_learns_models_are_asked_on_the_cpu_of_a_machine_with_a_gpu(monkeypatch):
    monkeypatch.setattr(runtime, "has_gpu", lambda: True)
    asked = Run(Path(), {"config": {"model": "naive_bayes"}, "card": {"runtime": {"precision": "fp32"}}})
    assert predict._place(asked).device == "cpu"
