"""description.py: of a run's files, only figures and letters reach the pull request's text."""

import json

import pytest
from steps import SCRIPTS

METRICS = {
    "split": "test", "n": 270, "accuracy": 0.97, "accuracy_ci95": [0.94, 0.99], "loss": 0.1, "macro_f1": 0.969,
    "per_class": {"cat": {"accuracy": 0.99}, "dog": {"accuracy": 0.5}, "newt": None, "owl": {"accuracy": 0.7}},
}  # fmt: skip


@pytest.fixture
def describe(tmp_path, monkeypatch):
    """The text for a run whose metrics.json has this content."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import description

    def text(content):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        (tmp_path / "metrics.json").write_bytes(data)
        return description.text("pets/first", tmp_path, "https://github.example/runs/1")

    return text


def rows(text):
    """The table without its head."""
    return text.split("\n\n")[0].splitlines()[2:]


def test_the_text_says_how_good_the_run_is(describe):
    assert rows(describe(METRICS)) == [
        "| test examples | 270 |",
        "| accuracy | 0.9700 (95 % interval 0.9400 to 0.9900) |",
        "| loss | 0.1000 |",
        "| macro F1 | 0.9690 |",
        "| worst classes | dog 0.5000, owl 0.7000, cat 0.9900 |",
    ]
    assert "(https://github.example/runs/1)" in describe(METRICS)
    assert "`pets/first/model.pth`" in describe(METRICS)


@pytest.mark.parametrize(
    "value", ["@everyone", True, None, float("inf"), float("nan"), 1e300, -1e300, 10**400, [1], {"a": 1}, "1 | 2"]
)
def test_what_is_no_figure_is_a_dash(value, describe):
    text = describe(METRICS | dict.fromkeys(("n", "accuracy", "accuracy_ci95", "loss", "macro_f1"), value))
    assert rows(text)[2:4] == ["| loss | – |", "| macro F1 | – |"]
    assert rows(text)[0] == "| test examples | – |"


HOSTILE = [
    "@everyone", "[x](https://evil.example)", "<img src=x>", "`a`|b", "![](//evil)", "#12", "a\n\n# b", "*b*", "&lt;",
    "https://evil.example", "\u202eabc", "a\\", "~~a~~", "_a_", "a\rb", "org/repo#1", "0123456789abcdef@0123",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_class_name_reaches_the_text_as_letters_only(name, describe):
    table = rows(describe(METRICS | {"per_class": {name: {"accuracy": 0.1}}}))
    assert len(table) == 5, "no line was added"
    shown = table[4].removeprefix("| worst classes | ").removesuffix(" 0.1000 |")
    assert all(letter.isalnum() or letter in " -·" for letter in shown), shown


def test_names_in_any_script_stay_readable(describe):
    assert "größe 猫 0.1000" in describe(METRICS | {"per_class": {"größe 猫": {"accuracy": 0.1}}})


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"per_class": 3, "accuracy": {}}', b"\xff", b'{"n": 1' + b"0" * 5000],
)
def test_an_unreadable_file_makes_dashes(content, describe):
    assert rows(describe(content))[1] == "| accuracy | – (95 % interval – to –) |"


def test_a_missing_file_makes_dashes(describe, tmp_path):
    import description

    assert rows(description.text("pets/first", tmp_path / "none", "x"))[0] == "| test examples | – |"
