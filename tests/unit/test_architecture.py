"""Who may import whom, how large a room may be, and what only one room may do."""

import ast
import graphlib
import re
from pathlib import PurePath

import pytest

PACKAGE = "image_classifier"
# Imports run towards the front of this list only; rooms in one set do not import each other.
LAYERS = (
    {"errors"},
    {"files", "masking", "schema", "cpus", "output"},
    {"settings", "signals", "randomness", "webhook", "lfs"},
    {"runtime", "arguments"},
    {"data", "model", "evaluation", "visualization"},
    {"runs", "data_card"},
    {"tracking"},
    {"training"},
    {"sweep"},
    {"api", "cli", "pipelines"},
    {"main"},
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
MEANINGLESS = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
MOST_LINES_IN_A_FILE = 250
MOST_LINES_IN_A_FUNCTION = 60
TALKING = {"cli", "main", "pipelines"}
# A worker process answers on its stdout, which is a pipe.
WORKERS = {f"{PACKAGE}.data.decoding"}
# CIFAR's batches are pickles; this room admits numpy arrays only.
UNPICKLERS = {f"{PACKAGE}.data.sources.cifar", f"{PACKAGE}.data.sources.unpickling"}
PICKLES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def called(node):
    """The dotted name a call is made by, as far as it is written out."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def imported(name, tree):
    """Every module named by an import, at the top or inside a function, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = name.split(".")[: -node.level] if node.level else []
            source = ".".join([*parent, *([node.module] if node.module else [])])
            yield from ((f"{source}.{alias.name}", node.lineno) for alias in node.names)
        elif called(node).endswith(("import_module", "__import__")) and isinstance(node.args[0], ast.Constant):
            yield node.args[0].value, node.lineno


def room(module):
    """The room a dotted name inside the package is in; the package itself is an empty text."""
    return [*module.split("."), ""][1]


def upward_imports(trees):
    for name, tree in trees.items():
        if name == PACKAGE:
            continue  # it shows the public names lazily, whatever their room
        here = room(name)
        for target, line in imported(name, tree):
            there = room(target)
            if target.split(".")[0] != PACKAGE or there == here:
                continue
            if there not in RANK or here not in RANK or RANK[there] >= RANK[here]:
                yield f"{name}:{line} imports {target}"


def import_circle(trees):
    def module_of(target):
        return target if target in trees else target.rpartition(".")[0]

    graph = {
        name: {module_of(target) for target, _ in imported(name, tree)} & trees.keys() - {name}
        for name, tree in trees.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def rooms_without_a_place(trees):
    return sorted({room(name) for name in trees} - RANK.keys() - {""})


def eager_imports_of_the_package_itself(trees):
    for node in trees[PACKAGE].body:
        if isinstance(node, ast.Import | ast.ImportFrom) and PACKAGE in ast.unparse(node):
            yield f"{PACKAGE}:{node.lineno}: {ast.unparse(node)}"


def mlflow_outside_tracking(trees):
    for name, tree in trees.items():
        for target, line in imported(name, tree):
            if target.split(".")[0] == "mlflow" and name != f"{PACKAGE}.tracking.server":
                yield f"{name}:{line}"


def pickles_outside_the_unpickler(trees):
    for name, tree in trees.items():
        for target, line in imported(name, tree):
            if target.split(".")[0] in PICKLES and name not in UNPICKLERS:
                yield f"{name}:{line} imports {target}"


def loads_that_execute(trees):
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword):
                value = getattr(node.value, "value", None)
                if (node.arg == "weights_only" and value is not True) or (
                    node.arg == "allow_pickle" and value is not False
                ):
                    yield f"{name}:{node.value.lineno} {ast.unparse(node)}"


def logging_set_up_outside_main(trees):
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if re.search(r"\b(basicConfig|dictConfig|fileConfig|addHandler)$", called(node)) and room(name) != "main":
                yield f"{name}:{node.lineno} {called(node)}"


def prints_outside_the_command_line(trees):
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if called(node) not in {"print", "sys.stdout.write"} or room(name) in TALKING or name in WORKERS:
                continue
            to = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg == "file"]
            if not to or to[0] in {"sys.stdout", "sys.stderr"}:  # print to a pipe is a way to write a line
                yield f"{name}:{node.lineno}"


def meaningless_names(trees):
    for name in trees:
        yield from (name for part in name.split(".") if MEANINGLESS & set(part.split("_")))


def long_functions(trees):
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > MOST_LINES_IN_A_FUNCTION:
                    yield f"{name}.{node.name} has {lines} lines"


# Each rule with a package that breaks it: {module: source}. Without it a rule could pass by seeing nothing.
RULES = {
    upward_imports: [
        {"files": "from image_classifier.runs import Run"},
        {"files": "def f():\n    import image_classifier.main"},
        {"data.store": "from image_classifier.model.nets import build"},
        {"data.store": "from image_classifier import visualization"},
        {"data.store": "from ..evaluation import metrics"},
        {"runs": "import importlib\nimportlib.import_module('image_classifier.training.train')"},
        {"errors": "from image_classifier import unheard_of"},
    ],
    import_circle: [
        {
            "data": "",
            "data.store": "from image_classifier.data.splits import f",
            "data.splits": "def f():\n    from image_classifier.data import store",
        },
    ],
    rooms_without_a_place: [{"cellar": ""}],
    eager_imports_of_the_package_itself: [{"": "from image_classifier.settings.config import Config"}],
    mlflow_outside_tracking: [{"runs": "def f():\n    import mlflow.tracking"}, {"tracking.entries": "import mlflow"}],
    pickles_outside_the_unpickler: [{"data.store": "from pickle import loads"}],
    loads_that_execute: [
        {"model.checkpoint": "torch.load(path, weights_only=False)"},
        {"model.checkpoint": "torch.load(path, weights_only=trusted)"},
        {"data.store": "np.load(path, allow_pickle=True)"},
    ],
    logging_set_up_outside_main: [{"runs": "logging.basicConfig(level=10)"}],
    prints_outside_the_command_line: [
        {"data.store": "def f():\n    print('here')"},
        {"data.store": "print('here', file=sys.stderr)"},
    ],
    meaningless_names: [{"data.utils": ""}, {"run_manager": ""}],
    long_functions: [{"runs": "def f():\n" + "    x = 1\n" * MOST_LINES_IN_A_FUNCTION}],
}


def parsed(sources):
    return {f"{PACKAGE}.{name}".removesuffix("."): ast.parse(text) for name, text in sources.items()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_has_none_of(rule, package_trees):
    assert list(rule(package_trees)) == []


@pytest.mark.parametrize(
    ("rule", "broken"),
    [(rule, example) for rule, examples in RULES.items() for example in examples],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_package_that_breaks_the_rule_is_found(rule, broken):
    assert list(rule(parsed(broken)))


def test_a_package_that_keeps_the_rules_passes():
    fine = parsed(
        {
            "": "def __getattr__(name):\n    from image_classifier.main import main",
            "errors": "",
            "files": "from image_classifier.errors import UserError",
            "data.store": "from image_classifier import files\nfrom .splits import f\nprint(1, file=pipe)",
            "data.batches": "np.load(path, allow_pickle=False)",
            "data.splits": "from image_classifier.errors import UserError",
            "data.sources.cifar": "import pickle",
            "tracking.server": "import mlflow",
            "main": "from image_classifier.training import train\nlogging.basicConfig()\nprint('done')",
        }
    )
    assert [complaint for rule in RULES for complaint in rule(fine)] == []


def test_every_module_is_seen(package_trees, repository_files):
    modules = [path for path in repository_files if path.parts[0] == PACKAGE and path.suffix == ".py"]
    assert len(package_trees) == len(modules)
    assert f"{PACKAGE}.files" in package_trees


def test_no_file_of_the_package_is_too_long_to_read_at_once(repository, repository_files):
    lengths = {
        str(path): len((repository / path).read_text().splitlines())
        for path in repository_files
        if PurePath(path).parts[0] == PACKAGE and path.suffix == ".py"
    }
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES_IN_A_FILE} == {}
