"""Print the composed settings and where each came from."""

import argparse

from image_classifier.arguments import access, add_data, add_experiments, add_settings, layers
from image_classifier.settings import views
from image_classifier.settings.composition import compose
from image_classifier.training.choice import default_model

_PAGES = {"reference": views.reference_page, "dispatch": views.dispatch_form}
_FORMS = {"yaml": views.as_yaml, "params": views.as_params}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The settings, and the form they are printed in."""
    add_data(parser)
    add_experiments(parser)
    add_settings(parser)
    forms = ("yaml", "dispatch", "params", "reference")
    parser.add_argument("--as", dest="form", choices=forms, default="yaml", help="default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Print the settings as YAML that `--config` or DVC reads; or the page, or the workflow's form, of all settings."""
    if arguments.form in _PAGES:
        print(_PAGES[arguments.form](), end="")
    else:
        given = layers(arguments)
        composition = compose(given, *default_model(given, arguments.experiments_folder, access(arguments)))
        print(_FORMS[arguments.form](composition), end="")
    return 0
