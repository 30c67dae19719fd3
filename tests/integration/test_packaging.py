"""The wheel: what is in it, and that it runs where there is no repository."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import pytest


def run(command, folder, **environment):
    """What a command printed; a failure shows all of it."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(command, cwd=folder, env=clean | environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def version(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(scope="module")
def built(repository, repository_files, tmp_path_factory):
    """The folder with the wheel and the source distribution, built from what would be committed and nothing else."""
    folder = tmp_path_factory.mktemp("packaging")
    for path in repository_files:
        (folder / "source" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository / path, folder / "source" / path)
    # Without named targets `build` makes the wheel from the source distribution: both are tried at once.
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", "source"], folder)
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel alone in a folder; its dependencies are those of the running environment."""
    site = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", site, wheel]
    run(command, site)
    return site


def test_the_wheel_holds_the_package_and_nothing_else(wheel, repository_files, version):
    assert wheel.name == f"image_classifier-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {str(path) for path in repository_files if path.parts[0] == "image_classifier"}
    assert names == expected
    assert "image_classifier/py.typed" in names
    assert "image_classifier/settings/recipes/cnn.yaml" in names


def test_the_wheel_says_what_it_is_and_needs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
        assert name.replace("METADATA", "licenses/LICENSE") in archive.namelist()
    assert "License-Expression: MIT\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata
    assert "Requires-Dist: torch<3,>=2.13\n" in metadata


def test_the_source_distribution_carries_tests_and_locks(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "Makefile", "requirements/requirements-prod.txt", "tests/conftest.py"} <= names
    assert not {name for name in names if name.endswith(".pyc") or name.startswith((".venv", "experiments"))}


@pytest.mark.parametrize("script", ["image_classifier_trainer", "image_classifier"])
def test_the_installed_scripts_tell_their_version_in_an_empty_folder(script, installed, tmp_path, version):
    said = run([installed / "bin" / script, "--version"], tmp_path, PYTHONPATH=str(installed))
    assert version in said.split()
    assert list(tmp_path.iterdir()) == []


def test_the_installed_package_finds_its_recipes_in_an_empty_folder(installed, tmp_path):
    where = [sys.executable, "-c", "import image_classifier; print(image_classifier.__file__)"]
    assert run(where, tmp_path, PYTHONPATH=str(installed)).startswith(str(installed))
    command = [installed / "bin" / "image_classifier", "config", "--model", "cnn", "--dataset_folder", "digits"]
    said = run(command, tmp_path, PYTHONPATH=str(installed))
    assert "learning_rate" in said
    assert "cnn.yaml" in said, "where a value came from"
