"""Names that several parts share are plain everywhere."""

import pytest
from sklearn import datasets

from image_classifier.settings.config import FIELDS
from image_classifier.settings.names import BUILT_IN_DATA, BUILT_IN_TABLES, IN_THE_FORM, RUN_NAME

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "good"),
    [("a", True), ("run_1.2-b", True), ("x" * 64, True), ("x" * 65, False), ("", False), (".a", False), ("a/b", False),
     ("a b", False), ("é", False), ("a\n", False)],
)  # fmt: skip
def test_a_name_is_a_plain_folder_name(name, good):
    assert bool(RUN_NAME.fullmatch(name)) == good


def test_what_is_built_in_is_scikit_learns():
    assert all(callable(getattr(datasets, f"load_{name}")) for name in BUILT_IN_DATA)
    assert set(BUILT_IN_TABLES) < set(BUILT_IN_DATA)


def test_the_form_asks_for_settings_that_exist():
    assert set(IN_THE_FORM) <= set(FIELDS)
    assert len(IN_THE_FORM) == len(set(IN_THE_FORM))
