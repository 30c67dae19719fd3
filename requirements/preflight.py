"""Whether this machine can hold the environment, said before anything is downloaded.

Runs on interpreters far too old for the package, to be able to say so. Exits 0, or 2 after an explanation.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile

GIGABYTE = 10**9


class MissingError(Exception):
    """What is missing, and what to do about it."""


def check_machine(needed):
    """The locked packages exist as files for one kind of machine only."""
    found = "{} {}".format(platform.system(), platform.machine())
    if found != needed:
        raise MissingError("this is {}; the packages are locked for {}".format(found, needed), "use Docker there")


def check_python(needed):
    """An interpreter new enough, with what it takes to make environments."""
    if sys.version_info < tuple(map(int, needed.split("."))):
        raise MissingError(
            "{} is Python {}; {} or newer is needed".format(sys.executable, platform.python_version(), needed),
            "name a newer one: PYTHON=python{} make …".format(needed),
        )
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian splits it off
        import venv  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingError(
            "{} cannot make virtual environments: no module {}".format(sys.executable, error.name),
            "apt install python{}.{}-venv".format(*sys.version_info[:2]),
        ) from error


def check_disk(folder, needed, purpose, hint):
    """Enough free disk where `folder` is, in GB."""
    free = shutil.disk_usage(folder).free / GIGABYTE
    if free < needed:
        what = "{} needs {:.0f} GB of free disk, {} has {:.1f} GB".format(purpose, needed, folder, free)
        raise MissingError(what, hint)


def why_unusable(environment, chosen):
    """Why an existing environment cannot be used, or an empty text."""
    python = os.path.join(environment, "bin", "python")
    try:
        ran = subprocess.run(
            [python, "-c", "import sys, pip; print('{}.{}'.format(*sys.version_info[:2]))"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "its interpreter is gone or broken"
    version = ran.stdout.decode().strip()
    if chosen and version != "{}.{}".format(*sys.version_info[:2]):
        return "it is of Python {}, and PYTHON asks for {}.{}".format(version, *sys.version_info[:2])
    return ""


def discard_unusable(environment, chosen):
    """Clear an environment away that cannot be used; a usable or a missing one is left as it is."""
    if not os.path.lexists(environment):
        return
    why = why_unusable(environment, chosen)
    if why:
        print("making {} again: {}".format(environment, why))
        if os.path.islink(environment):
            os.unlink(environment)
        else:
            shutil.rmtree(environment)


def check(arguments):
    """All of it; the disk only while there is something to install."""
    check_machine(arguments.machine)
    check_python(arguments.python)
    discard_unusable(arguments.environment, arguments.chosen)
    if os.path.exists(arguments.done):
        return
    where = os.path.dirname(os.path.abspath(arguments.environment))
    temporary = tempfile.gettempdir()
    check_disk(where, arguments.gigabytes, "the set-up", "free some, or clone the repository to a larger disk")
    if os.stat(temporary).st_dev != os.stat(where).st_dev:
        check_disk(
            temporary, arguments.temporary_gigabytes, "the download", "name a larger folder: TMPDIR=/path make …"
        )


def main():
    """Check this machine; the needs are arguments so that a test can ask for more than any machine has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", required=True, help="where the environment is or will be")
    parser.add_argument("--done", required=True, help="the file that marks a finished set-up")
    parser.add_argument("--chosen", action="store_true", help="the interpreter was named by the user")
    parser.add_argument("--machine", default="Linux x86_64")
    parser.add_argument("--python", default="3.11")
    parser.add_argument(
        "--gigabytes", type=float, default=12, help="the installed packages, pip's cache, what is on the way"
    )
    parser.add_argument("--temporary_gigabytes", type=float, default=4)
    try:
        check(parser.parse_args())
    except MissingError as missing:
        what, hint = missing.args
        sys.stderr.write("error: {}\n hint: {}\n".format(what, hint))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
