"""Every example is a folder of a few short files, whose stages say truly what they read and write."""

import re
import shlex

import pytest
import yaml

from image_classifier import compose
from image_classifier.cli import parse
from image_classifier.settings.config import FIELDS
from image_classifier.settings.names import BUILT_IN_TABLES

NAMES = ("wine", "breast_cancer", "digits", "wine_quality", "cifar")
SCRIPT = "database"  # no pipeline, but a script and its page (tests/integration/data/test_databases.py)
OWN_FILES = {"config.yaml", "dvc.yaml", "README.md", ".gitignore"}
LOCK, CODE = "../../requirements/requirements-prod.txt", "../../image_classifier"


def read(folder, name):
    return yaml.safe_load((folder / name).read_text())


def stages(folder):
    return read(folder, "dvc.yaml")["stages"]


def commands(stage):
    return [shlex.split(line) for line in ([stage["cmd"]] if isinstance(stage["cmd"], str) else stage["cmd"])]


def parameters(stage):
    """The settings that a stage depends on; None for all that the file has."""
    (files,) = stage["params"]
    return files["config.yaml"]


@pytest.fixture(params=NAMES)
def example(request, repository):
    return repository / "examples" / request.param


def test_there_are_no_others(repository, repository_files):
    assert {path.parts[1] for path in repository_files if path.parts[0] == "examples"} == {*NAMES, SCRIPT}


def test_it_has_settings_a_pipeline_a_page_and_no_code(example, repository_files):
    inside = {"/".join(path.parts[2:]) for path in repository_files if path.parts[:2] == ("examples", example.name)}
    assert inside - {"data/raw/.gitignore", "dvc.lock", "data/raw/WineQT.csv.dvc"} == OWN_FILES
    assert len((example / "config.yaml").read_text().splitlines()) <= 30


def test_its_settings_are_settings(example):
    known = {*FIELDS, "dataset_folder"}
    assert set(read(example, "config.yaml")) <= known


def test_its_stages_are_commands_of_this_program_and_read_its_settings(example):
    for stage in stages(example).values():
        for program, *arguments in commands(stage):
            assert program == "image_classifier"
            parsed = parse("image_classifier", arguments)
            reads = [str(path) for path in getattr(parsed, "config", [])]
            assert reads == (["config.yaml"] if "params" in stage else [])


def test_its_stages_depend_on_the_code_and_the_lock_and_the_last_one_tells_always(example):
    *others, last = stages(example).items()
    assert last[0] == "notify"
    assert last[1]["always_changed"]
    assert "outs" not in last[1]
    for name, stage in others:
        assert {CODE, LOCK} <= set(stage["deps"]), name
        assert not stage.get("always_changed")


def test_what_is_prepared_depends_on_every_setting_that_data_of_its_kind_has(example):
    """A setting that is missing in config.yaml could be added there, and the store would stay the old one."""
    prepare = stages(example).get("prepare")
    if prepare is None:
        assert example.name == "wine", "each of its splits has a store of its own, made by the sweep"
        return
    given = read(example, "config.yaml")["dataset_folder"]
    foreign = (
        {"image_size"}
        if given.endswith(".csv") or given in BUILT_IN_TABLES
        else {"target_column", "group_column", "drop_columns"}
    )
    if given in BUILT_IN_TABLES:
        foreign |= {"target_column", "group_column"}
    expected = {"dataset_folder", *compose(model="knn").data_settings()} - foreign
    assert set(parameters(prepare)) == expected
    assert expected <= set(read(example, "config.yaml"))


def test_what_is_trained_depends_on_every_setting_that_it_reads(example):
    for name, stage in stages(example).items():
        if "params" not in stage or name == "prepare":
            continue
        unread = set() if parameters(stage) is None else set(read(example, "config.yaml")) - set(parameters(stage))
        replaced = {flag.removeprefix("--") for (command,) in [commands(stage)] for flag in command}
        assert unread - replaced <= {"drop_columns"}, f"{name}: the store has them"


def test_its_page_is_short_and_names_its_figures_with_what_they_were_measured_on(example):
    text = (example / "README.md").read_text()
    assert len(text.splitlines()) <= 60
    assert "dvc repro" in text
    assert re.search(r"\d+\.\d %.*\d+\.\d (%|to)", text.replace("\n", " ")), "an accuracy with its interval"
    assert ("EPYC" if example.name == "cifar" else "Xeon") in text
