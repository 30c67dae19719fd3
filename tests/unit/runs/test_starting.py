"""Commands that only read runs start at once: they import no library that takes long."""

import json
import subprocess
import sys

import pytest

from image_classifier import files
from image_classifier.runs import formats

pytestmark = pytest.mark.unit

READ = """
import json, sys
from image_classifier.main import main

heavy = {"torch", "torchvision", "sklearn", "mlflow", "pyarrow", "matplotlib"}
place = ("--experiments_folder", sys.argv[1])
asked = [
    ("runs", *place), ("compare", "e/r", "e/r", *place), ("notify", "e/r", *place),
    ("track", "e/r", "--tracking_uri", "http://127.0.0.1:1", *place), ("config", "--dataset_folder", "wine", *place),
]
print("FOUND", json.dumps([[words[0], main(words), sorted(heavy & set(sys.modules))] for words in asked]))
"""


def test_reading_a_run_loads_neither_torch_nor_another_heavy_library(tmp_path, made, answers, report):
    run = made(tmp_path / "e" / "r")
    row = {"epoch": 1, "loss": 1.0, "acc": 0.5, "val_loss": None, "val_acc": None, "lr": 0.1, "seconds": 1.0}
    files.write_text(run.path("training_history.csv"), formats.history_csv([row]))
    files.write_bytes(run.path("predictions.npz"), formats.npz(answers))
    files.write_json(run.path("metrics.json"), report)
    ran = subprocess.run([sys.executable, "-c", READ, tmp_path], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    # No server answers, and so `track` ends with 4 before it imports MLflow.
    codes = {"runs": 0, "compare": 0, "notify": 0, "track": 4, "config": 0}
    assert json.loads(ran.stdout.rpartition("FOUND")[2]) == [[name, code, []] for name, code in codes.items()]
