"""How a program of this room ends: errors to text and exit codes, as the commands of `main` do it."""

import sys
from collections.abc import Callable

from image_classifier import output, signals
from image_classifier.errors import UserError, of_system
from image_classifier.masking import masked


def ended(work: Callable[[], int]) -> int:
    """The exit code of the work; what a user can change is said without a traceback."""
    with output.guarded():
        try:
            with signals.raised():
                return work()
        except UserError as error:
            return _refused(error)
        except OSError as error:
            return _refused(of_system(error))
        except signals.Stopped as stopped:
            sys.stderr.write(f"stopped by {stopped}\n")
            return stopped.exit_code


def _refused(error: UserError) -> int:
    hint = f"\n hint: {error.hint}" if error.hint else ""
    sys.stderr.write(masked(f"error: {error.what}{hint}\n"))
    return error.exit_code
