"""Where a finished run's model is asked."""

from dataclasses import asdict
from pathlib import Path

import pytest

from image_classifier import runtime
from image_classifier.runs import Run
from image_classifier.settings.composition import compose
from image_classifier.training.trained import runtime_to_predict

pytestmark = pytest.mark.unit


def test_scikit_learns_models_are_asked_on_the_cpu_of_a_machine_with_a_gpu(monkeypatch):
    monkeypatch.setattr(runtime, "has_gpu", lambda: True)
    record = {
        "config": asdict(compose([], "naive_bayes").config),
        "card": {"runtime": {"precision": "fp32"}, "settings": {}},
    }
    asked = Run(Path(), record)
    assert runtime_to_predict(asked).device == "cpu"
