"""The repository as a whole: what may not be in it, and what its documents and its editor settings point to."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

# Addresses of package indexes and folders of one workplace: a clone elsewhere has neither. Written so that this
# file does not find itself. A build may find what it mounts itself below /mnt.
PRIVATE = re.compile(
    r"pypi\.\w|python" + r"hosted|deb\.\w+\.org|npm" + r"js\.|/wor" + r"k/|/op" + r"t/(wheels|pypi)"
    r"|find-links[ =](?!/mnt/)\S*/"
)  # fmt: skip
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|<(?:img|a)\b[^>]*?(?:src|href)=\"([^\"]+)\"")
TREE_DRAWING = "│├└─┌ \t|`-+"
MOST_COLUMNS = 120


def text_of(path):
    """A file's text, or nothing for a picture."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def private_places(text):
    return [f"{line}: {match[0]}" for line, row in enumerate(text.splitlines(), 1) for match in PRIVATE.finditer(row)]


def without_code(text):
    """A document without its fenced blocks and inline code, in which brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(text):
    """The fragments GitHub makes of a document's headings."""
    for heading in re.findall(r"^#{1,6} +(.+?)\s*$", text, flags=re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def broken_links(document):
    """The relative links of a document that lead nowhere."""
    for target in (a or b for a, b in LINK.findall(without_code(document.read_text(encoding="utf-8")))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        path = document.parent / name if name else document
        if not path.exists() or (fragment and path.suffix == ".md" and fragment not in anchors(path.read_text())):
            yield target


def tree_names(readme):
    """The first word of each line in the README's picture of the repository."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", readme, flags=re.DOTALL | re.MULTILINE):
        if re.search(r"^\W*image_classifier/", block, flags=re.MULTILINE) and "pyproject.toml" in block:
            words = (line.strip(TREE_DRAWING).split() for line in block.splitlines())
            return {word for line in words if line for word in re.split(r",\s*", line[0]) if word}
    return set()


def prose(text):
    """The numbered lines of a document that are no fenced or indented code and no row of a table."""
    fenced = code = False
    before = ""
    for number, line in enumerate(text.splitlines(), 1):
        fence = line.lstrip().startswith("```")
        fenced ^= fence
        code = line.startswith("    ") and (code or not before)  # directly under a text it belongs to a list's item
        before = line.strip()
        if not (fence or fenced or code or before.startswith("|")):
            yield number, line


def long_lines(text):
    """The lines of prose that are too long and could be broken: at a blank that is in no link."""
    for number, line in prose(text):
        if len(line) > MOST_COLUMNS and " " in LINK.sub("link", re.sub(r"^\s*([-*+]|\d+\.) ", "", line)).strip():
            yield number


def test_the_repository_names_no_package_index_and_no_folder_of_one_workplace(repository, repository_files):
    found = {str(path): private_places(text_of(repository / path)) for path in repository_files}
    assert {path: places for path, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "text",
    [
        "https://" + "pypi." + "org/simple",
        "files.python" + "hosted.org",
        "cd /wor" + "k/main",
        "--find" + "-links /opt",
    ],
)
def test_a_private_place_is_found(text):
    assert private_places(f"first line\n{text}\n")


def test_relative_links_in_documents_resolve(repository, repository_files):
    documents = [path for path in repository_files if path.suffix == ".md"]
    assert documents
    broken = {str(path): list(broken_links(repository / path)) for path in documents}
    assert {path: links for path, links in broken.items() if links} == {}


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "there.md").write_text("# One heading\n")
    document = tmp_path / "document.md"
    document.write_text(
        "[a](there.md) [b](there.md#one-heading) [c](https://example.org/x) `[d](code.md)`\n"
        '[e](missing.md) ![f](missing.png "title") [g](there.md#another) <img src="gone.png">\n'
    )
    assert list(broken_links(document)) == ["missing.md", "missing.png", "there.md#another", "gone.png"]


def test_lines_of_prose_have_at_most_120_columns(repository, repository_files):
    documents = [path for path in repository_files if path.suffix == ".md"]
    found = {str(path): list(long_lines((repository / path).read_text(encoding="utf-8"))) for path in documents}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_long_line_of_prose_is_found():
    words = "word " * 30
    link = f"[{words}](there.md)"
    code = f"```\n{words}\n```\n\n    {words}\n    {words}\n\n| {words} |\n"
    assert list(long_lines(f"{code}{link}\n- {link}\nhttps://example.org/{'x' * 120}\n")) == []
    assert list(long_lines(f"short\n{words}\n")) == [2]
    assert list(long_lines(f"- item\n    {words}\n- {words}\n# {words}\n")) == [2, 3, 4]
    assert list(long_lines(f"{code}{link} and {words}")) == [9]


def test_the_readme_shows_every_entry_of_the_repository_and_no_other(repository, repository_files):
    shown = tree_names((repository / "README.md").read_text(encoding="utf-8"))
    entries = {path.parts[0] + ("/" if len(path.parts) > 1 else "") for path in repository_files}
    assert entries - shown == set(), "not in README.md's tree"
    known = {part for path in repository_files for part in path.parts}
    drawn = {name.rstrip("/").rpartition("/")[2] for name in shown}
    assert {name for name in drawn - known if re.fullmatch(r"[\w.-]+", name) and name != repository.name} == set()


def ignored(repository, path):
    """Whether git would leave out the path, tracked or not."""
    command = ["git", "check-ignore", "--quiet", "--no-index", path]
    return subprocess.run(command, cwd=repository, check=False).returncode == 0


def test_data_and_experiments_are_there_and_say_what_git_ignores(repository, repository_files):
    kept = {str(path) for path in repository_files if path.parts[0] in {"data", "experiments"}}
    assert {"data/README.md", "data/cifar_dataset/metadata.json", "experiments/README.md"} <= kept
    assert {path for path in kept if ignored(repository, path)} == set()
    for path in (
        *("data/pets/cat/1.png", "data/table.csv", "data/cifar_dataset/cifar-10-batches-py/test_batch"),
        *("data/cifar_dataset/.cifar-10-batches-py.x.tmp/test_batch", "data/pets/metadata.json", "data/pets/README.md"),
        *("experiments/demo/digits/model.pth", "experiments/pets/first/checkpoint.pth", "experiments/mlflow.db"),
    ):
        assert ignored(repository, path), path
    for name in ("model.pth", "model.skops", "metrics.png", "metrics.json", "predictions.npz", "run.json"):
        assert not ignored(repository, f"experiments/pets/first/{name}"), name


def test_the_large_files_of_runs_and_no_others_belong_to_git_lfs(repository):
    paths = [
        f"experiments/pets/first/{name}"
        for name in ("model.pth", "a.png", "model.skops", "predictions.npz", "data_card.html")
    ]
    others = ["experiments/README.md", "experiments/pets/first/metrics.json", "docs/pictures/metrics.png"]
    command = ["git", "check-attr", "filter", "--", *paths, *others]
    said = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.partition(": filter: ")[2] for line in said[: len(paths)]] == ["lfs"] * len(paths)
    assert "lfs" not in {line.partition(": filter: ")[2] for line in said[len(paths) :]}


def test_the_repository_holds_nothing_large(repository, repository_files):
    sizes = {str(path): (repository / path).stat().st_size for path in repository_files}
    assert {path: size for path, size in sizes.items() if size > 2_000_000} == {}


def test_shell_scripts_can_be_executed(repository, repository_files):
    scripts = [path for path in repository_files if path.suffix == ".sh" or path == Path(".ci/run")]
    assert len(scripts) >= 6
    for path in scripts:
        assert (repository / path).stat().st_mode & 0o111, f"chmod +x {path}"
        assert (repository / path).read_text().startswith("#!/usr/bin/env bash\n"), path


@pytest.fixture(scope="module")
def launches(repository):
    return json.loads((repository / ".vscode" / "launch.json").read_text())["configurations"]


def test_the_editor_debugs_the_trainer_with_flags_it_knows(launches, tmp_path):
    (trainer,) = [launch for launch in launches if launch["module"] == "image_classifier.main"]
    flags = [word for word in trainer["args"] if word.startswith("--")]
    assert {"--experiment_name", "--run_name", "--dataset_folder"} <= set(flags)
    command = [sys.executable, "-m", trainer["module"], "--help"]
    known = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert [flag for flag in flags if not re.search(rf"{flag}\b", known)] == []


def test_the_editor_debugs_the_tests_by_marks_that_exist(launches, pytestconfig):
    marks = {mark.partition(":")[0] for mark in pytestconfig.getini("markers")}
    chosen = [launch["args"][launch["args"].index("-m") + 1] for launch in launches if launch["module"] == "pytest"]
    assert sorted(chosen) == ["integration", "unit"]
    assert set(chosen) <= marks
    assert {launch["type"] for launch in launches} == {"debugpy"}
