"""`python -m image_classifier.pipelines.step NAME …`: one step of the pipeline, in the container that runs it."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from image_classifier import files, signals
from image_classifier.arguments import Parser
from image_classifier.errors import UserError, one_line
from image_classifier.pipelines import gathering, preparation, program, records, training
from image_classifier.pipelines.command import FailedError, without_secrets
from image_classifier.pipelines.interface import COMMON, STATE, STEPS
from image_classifier.pipelines.parameters import Parameters
from image_classifier.pipelines.records import OF_THE_RUN, Record, State
from image_classifier.pipelines.storage import Storage
from image_classifier.pipelines.work import NoDataError, Work
from image_classifier.settings.names import check_name

_DO: Mapping[str, Callable[[Work, dict[str, str]], dict[str, str]]] = {
    "setup_extraction": preparation.setup_extraction,
    "extract": preparation.extract,
    "setup": preparation.setup,
    "preprocessing": preparation.preprocessing,
    "feature_engineering": preparation.feature_engineering,
    "train": training.train,
    "evaluate": training.evaluate,
    "set_mining": training.set_mining,
}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the step."""
    return program.ended(lambda: _run(_arguments(list(sys.argv[1:] if argv is None else argv))))


def _arguments(argv: list[str]) -> argparse.Namespace:
    """What the step is given: its parameters, and for each output a file that its text is written to."""
    parser = Parser(prog="python -m image_classifier.pipelines.step", allow_abbrev=False, description=__doc__)
    steps = parser.add_subparsers(dest="step", metavar="NAME", required=True)
    for name, step in STEPS.items():
        child = steps.add_parser(name, allow_abbrev=False, help=f"the step {name}")
        for flag in (*COMMON, *step.inputs):
            child.add_argument(f"--{flag}", required=True, metavar="TEXT")
        for flag in step.outputs:
            child.add_argument(f"--{flag}_file", type=Path, metavar="FILE", help="where what is handed on is written")
    return parser.parse_args(argv)


def _run(arguments: argparse.Namespace) -> int:
    """Do the step's work, keep how it ended, and write what it hands on."""
    step = STEPS[arguments.step]
    parameters = Parameters(**{name: getattr(arguments, name) for name in COMMON})
    inputs = {name: getattr(arguments, name) for name in step.inputs}
    scope = inputs.get("scope", OF_THE_RUN)
    storage = Storage(parameters.root, parameters.domain)
    parameters.check_id()
    if "scope" in inputs:
        check_name(scope, "scope")
    with files.scratch_folder() as folder:
        work = Work(storage, parameters, folder, scope)
        if arguments.step == "gather":
            gathering.gather(work, inputs)
            return 0
        try:
            handed = _recorded(work, arguments.step, inputs)
        except FailedError as error:
            return error.exit_code  # its command has said why
    for name in step.outputs:
        path = getattr(arguments, f"{name}_file")
        if path is not None:
            files.write_text(path, handed.get(name, ""))
    return 0


def _recorded(work: Work, step: str, inputs: dict[str, str]) -> dict[str, str]:
    """What the step hands on; how it ended is kept in storage, whatever that was."""
    before = records.ended(records.read(work.storage, work.parameters).get(work.scope, ()))
    if before is not None and before.step != step:
        # KFP's local runner may take a container that failed for one that succeeded, when Docker was faster than it.
        sys.stderr.write(f"nothing to do: {work.scope} {before.state} in {before.step}\n")
        return {STATE: str(before.state)}
    try:
        work.parameters.check()
        handed = _DO[step](work, inputs)
    except NoDataError as error:
        sys.stderr.write(f"{work.scope} is skipped: {error}\n")
        _keep(work, Record(step, State.SKIPPED, str(error)))
        return {STATE: str(State.SKIPPED)}
    except BaseException as error:
        _keep(work, Record(step, State.FAILED, _said(error)))
        raise
    _keep(work, Record(step, State.DONE))
    return handed


def _keep(work: Work, record: Record) -> None:
    records.write(work.storage, work.parameters, work.scope, record)


def _said(error: BaseException) -> str:
    """The error's text for the log."""
    if isinstance(error, UserError):
        return without_secrets("\n hint: ".join(part for part in (error.what, error.hint) if part))
    if isinstance(error, signals.Stopped):
        return f"stopped by {error}"
    return without_secrets(f"{type(error).__name__}: {one_line(Exception(error))}")


if __name__ == "__main__":
    sys.exit(main())
