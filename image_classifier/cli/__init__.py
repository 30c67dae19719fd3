"""The commands, one file each: its first line is its help, `add_arguments` its words, `run` its work.

A file in this folder is a command; nothing else lists them. Only the chosen one is imported.
"""

import argparse
import ast
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from image_classifier import signals
from image_classifier.arguments import Parser
from image_classifier.errors import UserError, suggestion

_TRAINER = "image_classifier_trainer"  # the command `train` as a program of its own
NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py")))


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: that takes a third of the time that --help may take."""

    def __call__(self, *_: object) -> NoReturn:
        from importlib import metadata

        print(metadata.version("image_classifier"))
        raise SystemExit(0)


def parse(program: str, argv: list[str]) -> argparse.Namespace:
    """The command line's meaning, with the command's name as `command`; what has none is refused with the nearest."""
    parser = trainer_parser() if program == _TRAINER else command_parser(argv)
    _refuse_unknown_flags(parser, argv)
    return parser.parse_args(argv)


def run(arguments: argparse.Namespace) -> int:
    """The exit code of the command that the arguments name."""
    return int(_module(arguments.command).run(arguments))


def _module(name: str) -> ModuleType:
    with signals.postponed():
        return import_module(f"{__name__}.{name}")


def trainer_parser() -> argparse.ArgumentParser:
    """The parser of `image_classifier_trainer`."""
    parser = Parser(prog=_TRAINER, description=_about("train"), allow_abbrev=False)
    _add_version(parser)
    _module("train").add_arguments(parser)
    parser.set_defaults(command="train")
    return parser


def command_parser(argv: list[str]) -> argparse.ArgumentParser:
    """The parser of `image_classifier`; only the command that `argv` names knows its own arguments."""
    parser = Parser(prog="image_classifier", description="Train, measure and compare classifiers.", allow_abbrev=False)
    _add_version(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in argv if word in NAMES), None)
    for name in NAMES:
        child = commands.add_parser(name, help=_about(name), description=_about(name), allow_abbrev=False)
        if name == chosen:
            _module(name).add_arguments(child)
    return parser


def _about(name: str) -> str:
    """What a command's file says of it in its first line, read without importing it."""
    source = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    return str(ast.get_docstring(ast.parse(source))).partition("\n")[0].rstrip(".").replace("%", "%%")


def _add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")


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
