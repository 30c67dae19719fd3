"""The page of settings is what Config and the recipes say."""

import pytest

from image_classifier import reference
from image_classifier.config import BUILDERS, FIELDS

pytestmark = pytest.mark.unit


def test_the_page_in_docs_is_the_one_the_code_makes(repository):
    """`image_classifier config --as reference > docs/settings.md` makes it again."""
    assert (repository / "docs" / "settings.md").read_text(encoding="utf-8") == reference.page()


def test_the_page_names_every_setting_and_every_model():
    page = reference.page()
    assert all(f"| `{name}` |" in page for name in FIELDS)
    assert all(f"`{model}`" in page or f"| {model} |" in page for model in BUILDERS)
