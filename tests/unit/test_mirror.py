"""Each module of the package has its tests where CONTRIBUTING.md says, and each file of tests its module."""

import ast
from pathlib import PurePath

import pytest

PACKAGE = PurePath("image_classifier")
UNIT = PurePath("tests/unit")
INTEGRATION = "tests/integration"

# What the real thing tests best, and a word by which the test's file names the module or its command.
ELSEWHERE = {
    "image_classifier/__init__.py": ("tests/unit/test_api.py", "from image_classifier import"),
    **{
        f"image_classifier/data/sources/{name}.py": (f"{INTEGRATION}/data/test_buckets.py", word)
        for name, word in (
            ("bucket", "s3://"),
            ("named_objects", "manifest"),
            ("pulling", "pulled"),
            ("remote", "prepare"),
        )
    },
    "image_classifier/data_card/sections.py": ("tests/unit/data_card/test_page.py", "sections"),
    "image_classifier/data_card/style.py": (f"{INTEGRATION}/test_data_card.py", "style"),
    "image_classifier/pipelines/bucket.py": (f"{INTEGRATION}/pipelines/test_bucket.py", "bucket import on_this_disk"),
    "image_classifier/pipelines/hadoop.py": (f"{INTEGRATION}/pipelines/test_extraction.py", "_SUCCESS"),
    "image_classifier/pipelines/client.py": (f"{INTEGRATION}/pipelines/test_client.py", "client, server and updating"),
    "image_classifier/pipelines/server.py": (f"{INTEGRATION}/pipelines/test_client.py", "import kubeflow, server"),
    "image_classifier/pipelines/updating.py": (
        f"{INTEGRATION}/pipelines/test_client.py",
        "client, server and updating",
    ),
    "image_classifier/pipelines/interface.py": ("tests/unit/pipelines/test_graph.py", "interface.STEPS"),
    "image_classifier/runs/content.py": ("tests/unit/runs/test_record.py", "runs.read"),
    "image_classifier/sweep/content.py": ("tests/unit/sweep/test_record.py", "record.read"),
    "image_classifier/sweep/pool.py": (f"{INTEGRATION}/sweep/test_stopping.py", "sweep"),
    "image_classifier/sweep/sweep.py": (f"{INTEGRATION}/sweep/test_sweep.py", "sweep"),
    "image_classifier/training/train.py": (f"{INTEGRATION}/test_resuming.py", "training.train import"),
    "image_classifier/tracking/server.py": (f"{INTEGRATION}/tracking/test_server.py", "tracking"),
}
# Tests of the whole package or of the repository, beside those of its modules.
OF_THE_WHOLE = {
    "tests/unit/cli/test_threads.py",
    "tests/unit/runs/test_starting.py",
    "tests/unit/test_architecture.py",
    "tests/unit/test_house.py",
    "tests/unit/test_mirror.py",
    "tests/unit/test_requirements.py",
    "tests/unit/test_writing.py",
}


def defines(source):
    """Whether a module does or holds something, and does not only pass on names of others."""
    passing = (ast.Import, ast.ImportFrom, ast.Expr)
    return any(
        not isinstance(node, passing) and "__all__" not in ast.unparse(node).partition("=")[0]
        for node in ast.parse(source).body
    )


def place(module):
    """Where a module's unit tests are: those of a folder's `__init__.py` beside it, under the folder's name."""
    inside = PurePath(module).relative_to(PACKAGE)
    inside = inside.parent if inside.name == "__init__.py" else inside
    return str(UNIT / inside.parent / f"test_{inside.stem}.py")


def untested(sources, tests):
    """The modules that have no file of tests; `sources` are theirs, `tests` the paths of all files of tests."""
    for module, source in sources.items():
        if module not in ELSEWHERE and defines(source) and place(module) not in tests:
            yield f"{module} has no {place(module)}"


def strays(sources, tests):
    """The files of unit tests that mirror no module."""
    mirrored = {place(module) for module in sources if PurePath(module) != PACKAGE / "__init__.py"}
    for test in tests:
        if test.startswith(f"{UNIT}/") and test not in mirrored | OF_THE_WHOLE:
            yield f"{test} mirrors no module"


@pytest.fixture(scope="module")
def sources(repository, repository_files):
    modules = [path for path in repository_files if path.parts[0] == PACKAGE.name and path.suffix == ".py"]
    return {str(path): (repository / path).read_text(encoding="utf-8") for path in modules}


@pytest.fixture(scope="module")
def tests(repository_files):
    return {str(path) for path in repository_files if path.parts[0] == "tests" and path.match("test_*.py")}


def test_every_module_has_its_unit_test_or_stands_with_the_one_that_tests_it(sources, tests):
    assert list(untested(sources, tests)) == []


def test_every_unit_test_mirrors_a_module_or_is_one_of_the_whole(sources, tests):
    assert list(strays(sources, tests)) == []


@pytest.mark.parametrize("module", ELSEWHERE)
def test_what_is_tested_elsewhere_is_named_there(module, sources, tests, repository):
    test, word = ELSEWHERE[module]
    assert module in sources
    assert test in tests
    assert word in (repository / test).read_text(encoding="utf-8")
    assert place(module) not in tests, "it has unit tests now: take it out of the list"


def test_no_test_of_the_whole_outlives_its_reason(sources, tests):
    assert tests >= OF_THE_WHOLE
    assert OF_THE_WHOLE.isdisjoint(place(module) for module in sources)


def test_a_module_without_tests_and_tests_without_a_module_are_found():
    made = {
        "image_classifier/cellar/__init__.py": '"""A room."""',
        "image_classifier/cellar/door.py": "from image_classifier.errors import UserError\n__all__ = ['UserError']",
        "image_classifier/cellar/wine.py": "def bottle():\n    pass",
        "image_classifier/cellar/names.py": "NAMES = ('red',)",
    }
    there = {"tests/unit/cellar/test_names.py", "tests/unit/test_wine.py", "tests/integration/test_bottles.py"}
    assert list(untested(made, there)) == ["image_classifier/cellar/wine.py has no tests/unit/cellar/test_wine.py"]
    assert list(strays(made, there)) == ["tests/unit/test_wine.py mirrors no module"]
    assert list(untested({"image_classifier/cellar/__init__.py": "def door():\n    pass"}, there)) == [
        "image_classifier/cellar/__init__.py has no tests/unit/test_cellar.py"
    ]
