"""Predict writes one line for each example, in the form that is asked for."""

import csv
import io
import json

import numpy as np
import pytest

from image_classifier.data.preparing import prepare

pytestmark = pytest.mark.unit


@pytest.fixture
def table(trained, cache, tmp_path):
    """The run's test rows as a CSV file."""
    rows = prepare("wine", cache_folder=cache, quiet=True, image_size=None, split_seed=0).splits["test"].inputs
    lines = [",".join(column.name for column in trained.columns)]
    lines += [",".join(repr(float(value)) for value in row) for row in rows[:, 0, 0]]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    return tmp_path / "rows.csv"


def test_csv_and_json_lines_say_what_the_run_has_kept(command, trained, table, tmp_path):
    kept = trained.predictions()["test_probabilities"]
    code, printed, _ = command("predict", "e/r", table)
    assert code == 0
    head, *rows = csv.reader(io.StringIO(printed))
    assert head == ["path", "class", "probability", *(f"p_{name}" for name in trained.classes)]
    assert [row[0] for row in rows] == [f"{table}:{number}" for number in range(1, 28)]
    assert [row[1] for row in rows] == [trained.classes[best] for best in kept.argmax(1)]
    np.testing.assert_allclose([list(map(float, row[3:])) for row in rows], kept, atol=1e-6)
    assert command("predict", "e/r", table, "--output", tmp_path / "p.jsonl")[:2] == (0, "")
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [[line["path"], line["class"], str(line["probability"])] for line in lines] == [row[:3] for row in rows]
    assert list(lines[0]["probabilities"]) == list(trained.classes)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--output", "p.txt"], "--output p.txt ends neither in .csv nor in .jsonl"),
        (["--batch_size", "0"], "--batch_size must be 1 or more, not 0"),
        (["missing.csv"], "missing.csv is no table"),
    ],
)
def test_what_cannot_be_answered_is_refused_and_nothing_is_written(command, table, words, told, tmp_path):
    code, printed, said = command("predict", "e/r", table, *words)
    assert (code, printed) == (2, "")
    assert f"error: {told}" in said
    assert list(tmp_path.iterdir()) == [table]
