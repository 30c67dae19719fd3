"""Compare prints its verdict, or writes it as Markdown or JSON."""

import json

import pytest

pytestmark = pytest.mark.unit


def test_a_run_is_not_distinguishable_from_itself(command, trained, tmp_path):
    code, printed, _ = command("compare", "e/r", trained.folder, "--output", tmp_path / "c.json")
    assert code == 0
    assert printed.splitlines()[3].endswith("| not distinguishable |")
    first, second = json.loads((tmp_path / "c.json").read_text())["runs"]
    assert (first["run"], first["verdict"], first["n"]) == ("e/r", "baseline", 27)
    assert first["accuracy"] == second["accuracy"] == trained.metrics()["accuracy"]
    assert (second["difference"], second["mcnemar_p"]) == (0, 1)
    assert command("compare", "e/r", "e/r", "--output", tmp_path / "c.md")[0] == 0
    assert (tmp_path / "c.md").read_text() == printed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["e/r"], "one run is nothing to compare"),
        (["e/r", "e/s"], "e/s is not a run"),
        (["e/r", "e/r", "--output", "c.txt"], "--output c.txt ends neither in .md nor in .json"),
    ],
)
def test_what_cannot_be_compared_is_refused(command, words, told):
    code, printed, said = command("compare", *words)
    assert (code, printed) == (2, "")
    assert f"error: {told}" in said
