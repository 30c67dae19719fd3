"""The two programs: a command line to its command, logging configured once, errors to text and exit codes."""

import logging
import os
import sys
from collections.abc import Sequence

from image_classifier import cli, masking, output, signals
from image_classifier.errors import UserError, of_system, one_line

# OpenMP's threads spin some microseconds for the next piece of work, then sleep: by default they spin for
# milliseconds, which a busy neighbour makes a step pay for. Without effect where OMP_WAIT_POLICY is set.
WAITING = {"GOMP_SPINCOUNT": "20000"}

_LOST = "what the command does is done; to see what it says, free disk space or send its output elsewhere"


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of `image_classifier`."""
    return _run("image_classifier", list(sys.argv[1:] if argv is None else argv))


def trainer(argv: Sequence[str] | None = None) -> int:
    """The exit code of `image_classifier_trainer`, which is `image_classifier train`."""
    return _run("image_classifier_trainer", list(sys.argv[1:] if argv is None else argv))


def _run(program: str, argv: list[str]) -> int:
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)
    with output.guarded() as (out, _):
        handler = logging.StreamHandler()
        handler.setFormatter(_Formatter())
        logging.basicConfig(handlers=[handler])
        logging.getLogger("image_classifier").setLevel(logging.INFO)
        code = _exit_code(program, argv)
        out.flush()
        if out.error is None or out.reader_left:
            return code
        _print_error(UserError(f"the output could not be written: {one_line(out.error)}", _LOST))
        return code or UserError.exit_code


def _exit_code(program: str, argv: list[str]) -> int:
    """Do what the command line asks for; what its end is worth to the shell."""
    try:
        with signals.raised():
            return cli.run(cli.parse(program, argv))
    except UserError as error:
        _print_error(error)
        return error.exit_code
    except signals.Stopped as stopped:
        sys.stderr.write(f"stopped by {stopped}\n")
        return stopped.exit_code
    except SystemExit as end:
        if end.code:
            raise
        return 0  # --help or --version has answered
    except OSError as error:
        _print_error(of_system(error))
        return UserError.exit_code


class _Formatter(logging.Formatter):
    """Plain lines without the secrets of an address; warnings and worse begin with their level."""

    def format(self, record: logging.LogRecord) -> str:
        text = masking.masked(super().format(record))
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"


def _print_error(error: UserError) -> None:
    hint = f"\n hint: {error.hint}" if error.hint else ""
    sys.stderr.write(masking.masked(f"error: {error.what}{hint}\n"))


if __name__ == "__main__":
    sys.exit(trainer())
