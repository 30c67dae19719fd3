"""The command line's words that several commands share: data, settings, runs, tracking; and the parser's own words."""

import argparse
import re
from pathlib import Path
from typing import Any, NoReturn

from image_classifier import files
from image_classifier.errors import UserError, suggestion
from image_classifier.settings.config import FIELDS, kind
from image_classifier.settings.database import Access
from image_classifier.settings.layers import Layer, flag_layer, without_lists
from image_classifier.settings.names import DEFAULT_DATASET, NAMED_DATA


class Parser(argparse.ArgumentParser):
    """A parser that refuses in this program's own words."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print, with the nearest choice where a choice was missed."""
        missed = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        near = suggestion(missed.group(1), re.findall(r"[\w.-]+", missed.group(2))) if missed else ""
        raise UserError(message, near or f"{self.prog} --help shows what is accepted")


def add_run(parser: argparse.ArgumentParser, text: str = "a run's folder, or E/R under the experiments folder") -> None:
    """RUN and where runs are kept."""
    parser.add_argument("run", metavar="RUN", help=text)
    add_experiments(parser)


def add_experiments(parser: argparse._ActionsContainer) -> None:
    """Where runs are kept."""
    text = "where runs are kept (default: %(default)s)"
    parser.add_argument("--experiments_folder", type=Path, default=Path("experiments"), metavar="FOLDER", help=text)


def add_training(parser: argparse.ArgumentParser, group: argparse._ActionsContainer) -> None:
    """What one training and many take alike: where runs are sent and their tags, the data, the settings."""
    add_tracking(group)
    group.add_argument("--tag", action="append", default=[], metavar="K=V", help="a tag for MLflow; may be repeated")
    add_data(parser)
    add_settings(parser)


def add_tracking(parser: argparse._ActionsContainer) -> None:
    """Where runs are sent."""
    usual = "$MLFLOW_TRACKING_URI, else mlflow.db in the experiments folder"
    text = f"MLflow's server (http://host:5000) or store, or `off` (default: {usual})"
    parser.add_argument("--tracking_uri", metavar="URI", help=text)


def add_data(parser: argparse.ArgumentParser) -> None:
    """The data set, and where it is kept once it is prepared."""
    group = parser.add_argument_group("data")
    kinds = "CIFAR-10 batches, a folder of class folders, a manifest or a table (.csv, .parquet, …), a store"
    text = f"{', '.join(NAMED_DATA)}, or a path or s3://…: {kinds} (default: {DEFAULT_DATASET})"
    group.add_argument("--dataset_folder", metavar="D", help=text)
    add_database(group)
    add_cache(group)


def add_database(parser: argparse._ActionsContainer) -> None:
    """Which database `--dataset_folder database` is, and its password."""
    add = parser.add_argument
    text = "YAML that says which database and query `database` is (default: SQLite, data/images.db)"
    add("--db_connect", type=Path, metavar="FILE", help=text)
    add("--db_pass_file", type=Path, metavar="FILE", help="its password, in a file (default: $DB_PASS)")
    add("--db_pass", metavar="WORD", help="its password, where nobody else sees this command line")


def access(arguments: argparse.Namespace) -> Access:
    """How a database is reached, as the command line says it."""
    return Access(arguments.db_connect, arguments.db_pass, arguments.db_pass_file)


def add_cache(parser: argparse._ActionsContainer) -> None:
    """Where prepared stores are kept."""
    text = "prepared stores (default: $XDG_CACHE_HOME/image_classifier)"
    parser.add_argument("--cache_folder", type=Path, metavar="FOLDER", help=text)


def cache_folder(arguments: argparse.Namespace) -> Path:
    """Where prepared stores are kept: as asked for, else in the user's own cache."""
    given: Path | None = arguments.cache_folder
    return given or files.user_cache()


def add_settings(parser: argparse.ArgumentParser) -> None:
    """A flag for each setting, and files of settings."""
    group = parser.add_argument_group("settings", "defaults stand in the model's recipe where none is named here")
    group.add_argument("--config", action="append", type=Path, default=[], metavar="FILE", help="YAML; later ones win")
    for name, field in FIELDS.items():
        about = field.metadata
        named = not about["recipe"] and name != "model" and field.default is not None
        default = f" (default: {str(field.default).lower()})" if named else ""
        metavar = "{" + ",".join(about["choices"]) + "}" if about["choices"] and name != "model" else name.upper()
        switch: dict[str, Any] = {"nargs": "?", "const": "true"} if kind(field) is bool else {}
        group.add_argument(f"--{name}", metavar=metavar, help=(about["help"] + default).replace("%", "%%"), **switch)


def layers(arguments: argparse.Namespace, *, lists: bool = False) -> list[Layer]:
    """The settings given in files and by flags, later ones winning; with `lists` those in files may be lists."""
    flags: dict[str, Any] = {name: getattr(arguments, name) for name in FIELDS}
    flags["dataset_folder"] = arguments.dataset_folder
    from image_classifier.settings.composition import file_layer  # noqa: PLC0415  (OmegaConf, a tenth of a second)

    given = [*(file_layer(path, lists=True) for path in arguments.config), flag_layer(flags)]
    return given if lists else without_lists(given)
