"""A finished run is measured again to the same figures, and on other data only where it can read them."""

import shutil

import numpy as np
import pytest
from sklearn.datasets import load_wine

from image_classifier import runs
from image_classifier.data.preparing import prepare
from image_classifier.errors import UserError
from image_classifier.training import measuring, results

pytestmark = pytest.mark.unit


def test_its_own_data_gives_the_same_files_to_the_byte(trained, cache, tmp_path):
    run = runs.read(shutil.copytree(trained.folder, tmp_path / "e" / "r"))
    before = {name: run.path(name).read_bytes() for name in (*results.RESULT_FILES, runs.RECORD)}
    for name in results.RESULT_FILES:
        run.path(name).unlink()
    store = measuring.opened(run, None, cache)
    assert measuring.is_own(store, run)
    shutil.copy(trained.path("training_history.csv"), run.folder)
    measuring.write_again(run, store)
    assert {name: run.path(name).read_bytes() for name in before} == before


@pytest.mark.parametrize("split", ["test", "val"])
def test_each_split_has_the_figures_of_its_answers(trained, cache, split):
    report = measuring.report(trained, measuring.opened(trained, None, cache), split)
    kept = trained.predictions()
    right = kept[f"{split}_probabilities"].argmax(1) == kept[f"{split}_labels"]
    assert (report["split"], report["n"], report["accuracy"]) == (split, len(right), right.mean())


def test_all_of_other_data_with_the_same_columns_is_measured(trained, cache, tmp_path):
    rows, labels = load_wine(return_X_y=True)
    names = ",".join(column.name for column in trained.columns)
    lines = [",".join([*map(repr, row), f"class_{label}"]) for row, label in zip(rows.tolist(), labels, strict=True)]
    (tmp_path / "few.csv").write_text("\n".join([f"{names},kind", *lines[:100]]))
    how = {"image_size": None, "split_seed": 0, "target_column": "kind", "columns": trained.columns}
    prepare(str(tmp_path / "few.csv"), cache_folder=cache, output=tmp_path / "store", quiet=True, **how)
    store = measuring.opened(trained, str(tmp_path / "store"), cache)
    assert not measuring.is_own(store, trained)
    report = measuring.report(trained, store, "test")
    counts = [report["per_class"][name]["n"] for name in trained.classes]
    assert counts == np.bincount(labels[:100], minlength=3).tolist()


def test_data_that_it_cannot_read_is_refused(trained, cache):
    with pytest.raises(UserError, match="breast_cancer has no column alcohol, malic_acid"):
        measuring.opened(trained, "breast_cancer", cache)
    with pytest.raises(UserError, match="it holds images, and the run reads rows"):
        measuring.opened(trained, "digits", cache)
