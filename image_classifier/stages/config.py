"""Config: the composed settings, and where each came from."""

import argparse

from image_classifier import composition, dispatch, reference
from image_classifier.stages import settings


def run(arguments: argparse.Namespace) -> int:
    """Print the settings as YAML that `--config` or DVC reads; or the page, or the workflow's form, of all settings."""
    pages = {"reference": reference.page, "dispatch": dispatch.inputs}
    if arguments.form in pages:
        print(pages[arguments.form](), end="")
        return 0
    settled = settings.settle(settings.layers(arguments), arguments.experiments_folder)
    if arguments.form == "params":
        print(composition.as_params(settled.composition, settled.dataset_folder), end="")
    else:
        print(composition.as_yaml(settled.composition), end="")
    return 0
