"""Upload the pipeline as a new version, with the settings and secrets of its workflow."""

import os
import subprocess
import sys
from pathlib import Path

from package import UserError
from step import run, temporary, variable

VARIABLES = ("KFP_HOST", "PIPELINE_ROOT")
SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")  # with them the package is kept in the pipeline's bucket
OPTIONAL = ("extraction_image", "secret", "cron")  # flags; the variable of each has PIPELINE_ before its name


def main() -> None:
    """Have the environment of the locked layers do it, and leave what it says in the run's summary."""
    check()
    root = variable("PIPELINE_ROOT").rstrip("/")
    command = [str(temporary("kubeflow") / "bin" / "python"), "-m", "image_classifier.pipelines.kubeflow"]
    command += ["--type=update", f"--image={variable('IMAGE')}", f"--root={root}", f"--package_store={root}/packages"]
    given = {flag: os.environ.get(f"PIPELINE_{flag.upper()}") for flag in OPTIONAL}
    command += [f"--{flag}={value}" for flag, value in given.items() if value]
    environment = {
        name: value for name, value in os.environ.items() if value
    }  # GitHub sets what is not there to nothing
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(done.stdout)
    if done.returncode:
        raise UserError(f"the update ended with {done.returncode}", "its message is above")
    with Path(variable("GITHUB_STEP_SUMMARY")).open("a", encoding="utf-8") as stream:
        stream.write(f"```\n{done.stdout}```\n")


def check() -> None:
    """Refuse what is not set up, by its name alone."""
    for kind, names in (("variable", VARIABLES), ("secret", SECRETS)):
        missing = [name for name in names if not os.environ.get(name)]
        if missing:
            raise UserError(
                f"the {kind} {' and '.join(missing)} is not set",
                "Settings, Secrets and variables, Actions; docs/workflows.md says what each is",
            )
    if not variable("PIPELINE_ROOT").startswith("s3://"):
        raise UserError("PIPELINE_ROOT is no bucket", "s3://bucket/prefix: a folder of this machine ends with it")


if __name__ == "__main__":
    run(main)
