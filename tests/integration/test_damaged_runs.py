"""Whatever was done to the files of a run or a sweep, each command that reads them answers in words."""

import contextlib
import copy
import io
import json
import os
import random

import numpy as np
import pytest

from image_classifier import files, runs, train
from image_classifier.errors import UserError
from image_classifier.main import main, trainer
from image_classifier.runs import Run
from image_classifier.tracking import entries

MUTATIONS = int(os.environ.get("MUTATIONS", "20"))  # of each file; a larger number is for a search by hand
DEEP = "[" * 100_000
VALUES = (
    None, True, 0, -1, 1, 7, 2.5, 10**30, float("nan"), float("inf"), "", "x", "a\0b", "\ud800", "x" * 5000, [], [1],
    {}, {"a": 1}, [[[[1]]]], "../../x", "0", ["a", "a"], ["a", "b", "c"],
)  # fmt: skip
ARRAYS = ("test_labels", "test_probabilities", "val_labels", "val_probabilities", "val_rows")


def places(value, here=()):
    """The path of every part of a JSON value."""
    yield here
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from places(part, (*here, name))


def damaged_json(data, chance):
    value = json.loads(data)
    for _ in range(chance.choice((1, 1, 1, 2))):
        *path, last = chance.choice([place for place in places(value) if place] or [("status",)])
        inner = value
        for name in path:
            inner = inner[name]
        act = chance.choice(("delete", "replace", "replace", "rename", "twice"))
        if act == "delete":
            del inner[last]
        elif act == "rename" and isinstance(inner, dict):
            inner[chance.choice(("other", "", "../x", "n"))] = inner.pop(last)
        elif act == "twice" and isinstance(inner, list):
            inner.append(copy.deepcopy(inner[last]))
        else:
            inner[last] = copy.deepcopy(chance.choice(VALUES))
    return json.dumps(value).encode()


def damaged_text(data, chance):
    at = chance.randrange(len(data))
    pieces = (b"", b"\0", b"\xff", b",", b"-", b"9" * 400, b"nan", b'"', b"\n", b"{}", DEEP.encode(), b"1e999")
    return data[:at] + chance.choice(pieces) + data[at + chance.choice((0, 1, 1, 5, len(data))) :]


def other_array(array, chance):
    changes = (
        lambda: array.astype(chance.choice(("f8", "f2", "i1", "i4", "u8", "?", "U7", "S3", "c8", "M8[s]"))),
        lambda: array[: len(array) // 2],
        lambda: array[:0],
        lambda: array.reshape(-1),
        lambda: array[None],
        lambda: array.T,
        lambda: np.asarray(array.flat[0]),
        lambda: np.full_like(array, -1),
        lambda: array + 1,
        lambda: array * 0,
        lambda: np.where(np.arange(array.size).reshape(array.shape) == 3, np.array(np.nan), array),
        lambda: np.array([{"a": 1}], dtype=object),
        lambda: np.repeat(array, 2, axis=-1),
    )
    with np.errstate(all="ignore"):
        return chance.choice(changes)()


def damaged_npz(data, chance):
    if chance.random() < 0.3:
        return damaged_text(data, chance)
    arrays = dict(np.load(io.BytesIO(data)))
    name, other = chance.sample(ARRAYS, 2)
    act = chance.choice(("change", "change", "change", "swap", "delete"))
    if act == "change":
        arrays[name] = other_array(arrays[name], chance)
    elif act == "swap":
        arrays[name], arrays[other] = arrays[other], arrays[name]
    else:
        del arrays[name]
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def damaged(name, data, chance):
    if name.endswith(".npz"):
        return damaged_npz(data, chance)
    return damaged_text(data, chance) if name.endswith(".csv") or chance.random() < 0.2 else damaged_json(data, chance)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A finished run, its child, a run that is not finished, and a sweep."""
    folder = tmp_path_factory.mktemp("house")
    at = {"experiments_folder": folder, "cache_folder": folder / "cache", "tracking_uri": "off"}
    settings = {"num_epochs": 1, "num_threads": "1", "precision": "fp32"}
    dense = {"model": "dense", "dataset_folder": "wine", "experiment_name": "e", **settings, **at}
    train(**dense, run_name="dense")
    train(**dense, run_name="child", pretrained_model="e/dense/model.pth")
    for seed in (0, 1):
        train(model="knn", seed=seed, dataset_folder="wine", experiment_name="s", run_name=f"seed-{seed}", **at)
    files.write_json(folder / "e/child/error_sets.json", mined(files.read_json(folder / "e/child/error_sets.json")))
    record = files.read_json(folder / "e/dense/run.json")
    del record["best_epoch"], record["files"], record["timing"]["finished"]
    files.write_json(folder / "e/begun/run.json", record | {"status": "unfinished"})
    files.write_text(folder / "grid.yaml", "model: knn\ndataset_folder: wine\nseed: [0, 1]\n")
    files.write_text(folder / "rows.csv", "alcohol,ash\n1,2\n")
    places = ["--experiments_folder", str(folder), "--cache_folder", f"{folder}/cache"]
    assert main([*sweep(folder), *places]) == 0  # both are trained: it writes the record
    return folder


def mined(report):
    """Error sets as they could be: too few rows of wine are asked to find one."""
    rate = {"error_rate": 0.5, "error_rate_ci95": [0.25, 0.75], "p_value": 0.01, "support": 0.5}
    held = {"n": 4, "errors": 2, "error_rate": 0.5, "ci95": None, "p_value": 0.03}
    found = {
        "itemsets": ["class=class_0", "ash=2/2"], "pattern_length": 2, "itemsets_desc": "class class_0, ash above 2.3",
        "n": 8, "errors": 4, "share_of_errors": 1.0, "wrong_class": "class_1", "wrong_class_n": 4, "confirmed": True,
        "examples": [3, 1], "example_names": None, **rate, **{f"held_out_{name}": each for name, each in held.items()},
    }  # fmt: skip
    return report | {"nb_freq_sets": 2, "max_support_value": 0.5, "sets": [found, found | {"confirmed": False}]}


def sweep(folder):
    return ["sweep", "--config", f"{folder}/grid.yaml", "--experiment_name", "s"]


@pytest.fixture
def ask(house, capsys):
    """ask(words) is the exit code of a command; its words on stderr must be those of an error."""

    def call(*words, program=main, cached=False):
        cache = ("--cache_folder", f"{house}/cache") if cached else ()
        code = program([*map(str, words), "--experiments_folder", str(house), *cache])
        said = capsys.readouterr().err
        assert code == 0 or (code == 2 and "error: " in said), said
        return code

    return call


def readers(house, ask, output, run):
    """The commands that read a run; the three that compute come last."""
    yield lambda: ask("runs")
    yield lambda: ask("compare", f"e/{run}", "e/dense")
    yield lambda: ask("notify", f"e/{run}")
    yield lambda: sent(house / "e" / run)
    yield lambda: ask(*begin(run), "--resume", program=trainer, cached=True)
    yield lambda: ask("predict", f"e/{run}", house / "rows.csv")
    yield lambda: ask("evaluate", f"e/{run}", "--output", output, cached=True)
    yield lambda: ask("mine", f"e/{run}", cached=True)


def sent(folder):
    """What `track` reads; it gives a run that has no key one, before that."""
    with contextlib.suppress(UserError):
        run = runs.read(folder)
        entries.of_run(Run(folder, {**run.record, "tracking": {"key": "k"} | run.record.get("tracking", {})}))


def begin(run):
    return ("--experiment_name", "e", "--run_name", run, "--dataset_folder", "wine")


def told(act, path):
    """Fail with what the file held, where a command failed by a bug."""
    try:
        act()
    except Exception as error:
        raise AssertionError(f"{path.name} held {path.read_bytes()[:3000]!r}") from error


@pytest.fixture
def mutations():
    """mutations(path) are some seeded changes of a file, one after the other; at the end it is whole again."""
    wholes = {}

    def each(path):
        whole = wholes.setdefault(path, path.read_bytes())
        chance = random.Random(f"{path.parent.name}/{path.name}")  # noqa: S311 (nothing secret)
        for _ in range(MUTATIONS):
            path.write_bytes(damaged(path.name, whole, chance))
            yield chance

    yield each
    for path, whole in wholes.items():
        path.write_bytes(whole)


@pytest.mark.parametrize("run", ["dense", "child"])
@pytest.mark.parametrize(
    "name", ["run.json", "metrics.json", "predictions.npz", "training_history.csv", "error_sets.json"]
)
def test_a_damaged_file_of_a_run_is_told_in_words(house, ask, mutations, tmp_path, run, name):
    *quick, predict, evaluate, mine = readers(house, ask, tmp_path / "o.json", run)
    for number, _ in enumerate(mutations(house / "e" / run / name)):
        for act in [*quick, *([predict, evaluate, mine] if number % 8 == 0 else [])]:
            told(act, house / "e" / run / name)


@pytest.mark.parametrize("name", ["metrics.json", "predictions.npz", "training_history.csv"])
def test_figures_are_written_again_whatever_their_files_held(house, ask, mutations, name):
    path = house / "e/dense" / name
    kept = {each: each.read_bytes() for each in path.parent.iterdir()}
    for number, _ in enumerate(mutations(path)):
        if number % 40 == 0:
            told(lambda: ask("evaluate", "e/dense", cached=True), path)
            for each, data in kept.items():
                each.write_bytes(data)


def test_a_run_whose_record_was_damaged_goes_on_or_is_refused(house, ask, mutations):
    path = house / "e/begun/run.json"
    with files.lock(path.parent):  # so that what is planned is never trained
        for _ in mutations(path):
            told(lambda: ask(*begin("begun"), "--resume", program=trainer, cached=True), path)


@pytest.mark.parametrize("name", ["sweep.json", "seed-0/run.json", "seed-0/metrics.json"])
def test_a_damaged_file_of_a_sweep_is_told_in_words(house, ask, mutations, name):
    path = house / "s" / name
    kept = {each: each.read_bytes() for each in (house / "s").rglob("*") if each.is_file()}
    for number, _ in enumerate(mutations(path)):
        told(lambda: ask("notify", "s"), path)
        if number % 10 == 0 and b"seed-0" in path.read_bytes() + name.encode():
            told(lambda: ask(*sweep(house), cached=True), path)
            for each, data in kept.items():
                each.write_bytes(data)
