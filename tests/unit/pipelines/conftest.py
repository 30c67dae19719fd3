"""Storages to work with, and what a step works with, for the use case `smoke`."""

import dataclasses

import pytest

from image_classifier.pipelines.parameters import Parameters
from image_classifier.pipelines.storage import Storage
from image_classifier.pipelines.work import Work


@pytest.fixture
def storage(tmp_path):
    """A storage in a folder."""
    return Storage(str(tmp_path / "root"), "test_data")


@pytest.fixture
def work(storage, tmp_path):
    """work(scope, **parameters) is what a step of the pipeline run `one` works with."""
    usual = Parameters(storage.root, "test_data", "smoke", "individual", "one")

    def make(scope="", **other):
        folder = tmp_path / "scratch"
        folder.mkdir(exist_ok=True)
        return Work(storage, dataclasses.replace(usual, **other), folder, scope)

    return make
