"""The duplicate check that `make lint` runs on the package (10 s, so not once more here) can bite."""

import subprocess
import sys

TWICE = """
def total(rows):
    result = 0
    for row in rows:
        if row.valid:
            result += row.count * row.weight
            result -= row.discount
            result -= row.refund
    return result
"""


def duplicates(repository, target):
    command = [sys.executable, "-m", "pylint", "--rcfile", repository / "pyproject.toml", target]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)


def test_different_functions_pass(repository, tmp_path):
    (tmp_path / "__init__.py").touch()
    (tmp_path / "first.py").write_text(f'"""One."""\n{TWICE}')
    (tmp_path / "second.py").write_text('"""Another."""\n\n\ndef last(rows):\n    return rows[-1]\n')
    said = duplicates(repository, tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_copied_function_is_found(repository, tmp_path):
    (tmp_path / "__init__.py").touch()
    (tmp_path / "first.py").write_text(f'"""One."""\n{TWICE}')
    (tmp_path / "second.py").write_text(f'"""Another."""\n{TWICE}')
    said = duplicates(repository, tmp_path)
    assert said.returncode != 0
    assert "R0801: Similar lines in 2 files" in said.stdout
