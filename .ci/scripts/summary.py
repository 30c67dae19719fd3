"""Write the job's summary: what `notify` made of the run, and where its files and its page in MLflow are."""

import json
import os
import re
from pathlib import Path

from package import names
from step import run, temporary, variable

# As the tracking server's run is written into the run's record; nothing else becomes a link.
_PAGE = re.compile(r"https?://[\w.:\[\]-]+(/[\w./~%+-]*)?/#/experiments/[0-9]+/runs/[0-9a-f]{32}")
_MOST = 900_000  # bytes; GitHub drops a summary of more than 1 MiB


def main() -> None:
    """Append the summary to the job's page."""
    written = temporary("summary") / "summary.md"
    text = written.read_bytes()[:_MOST].decode(errors="ignore") if written.is_file() else unfinished()
    with Path(variable("GITHUB_STEP_SUMMARY")).open("a", encoding="utf-8") as stream:
        stream.write("\n\n".join(filter(None, (text.rstrip(), link(), tracked()))) + "\n")


def unfinished() -> str:
    """What to say of a run without figures."""
    name = os.environ.get("RUN_FOLDER") or "the run"
    how = {"cancelled": "was stopped", "success": "was finished, but its figures could not be read"}
    said = how.get(os.environ.get("TRAINED", ""), "did not finish")
    return f"## {name} {said}\n\nThe step that failed says why: `error:` what was found, `hint:` what to do next."


def link() -> str:
    """A link to the artifact, whose address comes from GitHub."""
    address = os.environ.get("ARTIFACT_URL", "")
    if not re.fullmatch(r"https?://[\w.:-]+/[\w./-]+", address):
        return "No artifact: nothing was written to the run folder."
    return f"**[Download the run folder]({address})** (the artifact `experiment_results`)"


def tracked() -> str:
    """Where MLflow shows the run, or how to send it there; empty where it is not tracked."""
    name = os.environ.get("RUN_FOLDER", "")
    if os.environ.get("SENT") == "false":
        return (
            "**Not sent to MLflow**; the log of the step Train says why. When the server answers, unpack the run "
            f"folder into `experiments/`: `image_classifier track {name} --tracking_uri URL` sends it."
        )
    try:
        pages = json.loads(Path("experiments", name, names.RECORD).read_bytes())["tracking"]["pages"]
        page = str(list(pages.values())[-1])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""
    return f"**[The run in MLflow]({page})**" if _PAGE.fullmatch(page) else ""


if __name__ == "__main__":
    run(main)
