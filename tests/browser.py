"""The browser in which tests look at pages."""

import os
import shutil

import pytest


def needed():
    """Where Chromium is; without it the test skips, and fails in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        assert not os.environ.get("CI"), "CI must have chromium: apt install chromium"
        pytest.skip("needs chromium: apt install chromium")
    return found
