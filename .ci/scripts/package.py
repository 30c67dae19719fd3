"""What scripts take from the package: its error, names and bounds, which need the standard library alone.

They come from the commit that the script is of, before an installed package, the working folder and PYTHONPATH.
"""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))  # behind the scripts' own folder

from image_classifier import lfs, webhook
from image_classifier.errors import NotSentError, UserError, suggestion
from image_classifier.settings import config, names

__all__ = ["NotSentError", "UserError", "config", "lfs", "names", "suggestion", "webhook"]
