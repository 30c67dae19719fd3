"""The command line's words: programs, subcommands and flags."""

import argparse
import re
from pathlib import Path
from typing import Any, NoReturn

from image_classifier.config import BUILT_IN_DATA, FIELDS, kind, suggestion
from image_classifier.errors import UserError

_STAGES = {
    "train": "train, evaluate and plot: everything for a run",
    "prepare": "make the prepared store of a dataset and print its digest",
    "evaluate": "measure a finished run's model again, or on other data",
    "predict": "classify images with a run's model",
    "compare": "say which run is better, and whether the data can tell",
    "track": "send a finished run to the tracking server",
    "sweep": "train every combination of settings, several at a time",
    "notify": "say what a run or a sweep is worth, in Markdown",
    "runs": "list runs with their accuracies",
    "config": "print the composed settings and where each came from",
}


class Parser(argparse.ArgumentParser):
    """A parser that refuses in this program's own words."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print, with the nearest choice where a choice was missed."""
        missed = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        near = suggestion(missed.group(1), re.findall(r"[\w.-]+", missed.group(2))) if missed else ""
        raise UserError(message, near or f"{self.prog} --help shows what is accepted")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: that takes a third of the time that --help may take."""

    def __call__(self, *_: object) -> NoReturn:
        from importlib import metadata  # noqa: PLC0415

        print(metadata.version("image_classifier"))
        raise SystemExit(0)


def parse(program: str, argv: list[str]) -> argparse.Namespace:
    """The command line's meaning; a word that has none is refused with the nearest one that has."""
    parser = trainer_parser() if program == "image_classifier_trainer" else command_parser()
    _refuse_unknown_flags(parser, argv)
    return parser.parse_args(argv)


def _refuse_unknown_flags(parser: argparse.ArgumentParser, argv: list[str]) -> None:
    """Name the nearest flag; argparse would speak of a missing required flag first."""
    commands = next((a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction)), {})  # noqa: SLF001
    chosen = next((commands[word] for word in argv if word in commands), parser)
    known = [flag for each in (parser, chosen) for flag in each._option_string_actions]  # noqa: SLF001
    for word in argv[: argv.index("--")] if "--" in argv else argv:
        flag = word.partition("=")[0]
        if flag.startswith("--") and flag not in known:
            hint = suggestion(flag, known) or f"{chosen.prog} --help shows what is accepted"
            raise UserError(f"{flag} is not a flag of {chosen.prog}", hint)


def trainer_parser() -> argparse.ArgumentParser:
    """The parser of `image_classifier_trainer`."""
    parser = Parser(prog="image_classifier_trainer", description=_STAGES["train"], allow_abbrev=False)
    _add_version(parser)
    _add_train(parser)
    parser.set_defaults(stage="train")
    return parser


def command_parser() -> argparse.ArgumentParser:
    """The parser of `image_classifier` with its subcommands."""
    parser = Parser(prog="image_classifier", description="Train, measure and compare classifiers.", allow_abbrev=False)
    _add_version(parser)
    commands = parser.add_subparsers(dest="stage", metavar="COMMAND", required=True)
    for name, text in _STAGES.items():
        child = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        _ARGUMENTS[name](child)
    return parser


def _add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")


def _add_train(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the run")
    group.add_argument("--experiment_name", required=True, metavar="E", help="the folder that related runs share")
    group.add_argument("--run_name", required=True, metavar="R", help="the run is <experiments_folder>/E/R")
    _add_experiments(group)
    group.add_argument("--resume", action="store_true", help="go on with an unfinished run")
    _add_tracking(group)
    group.add_argument("--tag", action="append", default=[], metavar="K=V", help="a tag for MLflow; may be repeated")
    _add_data(parser)
    _add_settings(parser)


def _add_experiments(parser: argparse._ActionsContainer) -> None:
    text = "where runs are kept (default: %(default)s)"
    parser.add_argument("--experiments_folder", type=Path, default=Path("experiments"), metavar="FOLDER", help=text)


def _add_tracking(parser: argparse._ActionsContainer) -> None:
    usual = "$MLFLOW_TRACKING_URI, else mlflow.db in the experiments folder"
    text = f"MLflow's server (http://host:5000) or store, or `off` (default: {usual})"
    parser.add_argument("--tracking_uri", metavar="URI", help=text)


def _add_data(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    kinds = "CIFAR-10 batches, a folder of class folders, a .csv or .parquet table, a prepared store"
    text = f"{', '.join(BUILT_IN_DATA)}, or a path: {kinds} (default: data/cifar_dataset)"
    group.add_argument("--dataset_folder", metavar="D", help=text)
    _add_cache(group)


def _add_cache(parser: argparse._ActionsContainer) -> None:
    text = "prepared stores (default: $XDG_CACHE_HOME/image_classifier)"
    parser.add_argument("--cache_folder", type=Path, metavar="FOLDER", help=text)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("settings", "defaults stand in the model's recipe where none is named here")
    group.add_argument("--config", action="append", type=Path, default=[], metavar="FILE", help="YAML; later ones win")
    for name, field in FIELDS.items():
        about = field.metadata
        default = "" if field.default is None else f" (default: {str(field.default).lower()})"
        metavar = "{" + ",".join(about["choices"]) + "}" if about["choices"] and name != "model" else name.upper()
        switch: dict[str, Any] = {"nargs": "?", "const": "true"} if kind(field) is bool else {}
        group.add_argument(f"--{name}", metavar=metavar, help=(about["help"] + default).replace("%", "%%"), **switch)


def _add_run(
    parser: argparse.ArgumentParser, text: str = "a run's folder, or E/R under the experiments folder"
) -> None:
    parser.add_argument("run", metavar="RUN", help=text)
    _add_experiments(parser)


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write the store here and not into the cache")
    _add_settings(parser)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    text = "a run's folder, or E/R under the experiments folder; or an experiment E, all of whose runs are measured"
    parser.add_argument("run", metavar="RUN", help=text)
    _add_experiments(parser)
    parser.add_argument("--split", choices=("val", "test"), default="test", help="default: %(default)s")
    parser.add_argument("--dataset_folder", metavar="D", help="measure on this data and leave the run as it is")
    _add_cache(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE.json", help="write the figures here and leave the run as it is"
    )
    text = (
        "the same in short, without the figures of each class; of an experiment, first the run with the best validation"
    )
    parser.add_argument("--summary", type=Path, metavar="FILE.json", help=text)


def _add_predict(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="an image, or a folder of images")
    parser.add_argument("--output", type=Path, metavar="FILE", help="FILE.csv or FILE.jsonl (default: CSV on stdout)")
    parser.add_argument(
        "--batch_size", type=int, metavar="N", help="images at once (default: 256, fewer where they are large)"
    )


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the first is what the others are compared with")
    _add_experiments(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="FILE.md or FILE.json (default: Markdown on stdout)"
    )


def _add_track(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    _add_tracking(parser)


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the sweep", "a --config in which settings have a list of values is its grid")
    group.add_argument("--experiment_name", required=True, metavar="E", help="the folder of its runs and its table")
    _add_experiments(group)
    text = "runs at a time (default: %(default)s); each has its share of the CPUs, unless --num_threads is given"
    group.add_argument("-j", dest="at_once", default="1", metavar="N", help=text)
    _add_tracking(group)
    group.add_argument("--tag", action="append", default=[], metavar="K=V", help="a tag for MLflow; may be repeated")
    _add_data(parser)
    _add_settings(parser)


def _add_notify(parser: argparse.ArgumentParser) -> None:
    _add_run(parser, "a run's or a sweep's folder, E/R for a run or E for a sweep under the experiments folder")
    parser.add_argument("--output", type=Path, metavar="FILE.md", help="default: on stdout")


def _add_runs(parser: argparse.ArgumentParser) -> None:
    _add_experiments(parser)


def _add_config(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    _add_experiments(parser)
    _add_settings(parser)
    parser.add_argument(
        "--as",
        dest="form",
        choices=("yaml", "dispatch", "params", "reference"),
        default="yaml",
        help="default: %(default)s",
    )


_ARGUMENTS = {
    "train": _add_train,
    "prepare": _add_prepare,
    "evaluate": _add_evaluate,
    "predict": _add_predict,
    "compare": _add_compare,
    "track": _add_track,
    "sweep": _add_sweep,
    "notify": _add_notify,
    "runs": _add_runs,
    "config": _add_config,
}
