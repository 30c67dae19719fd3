"""Write the job's summary: what `image_classifier notify` made of the run, and where its files are."""

import os
import re
from pathlib import Path

from step import run, temporary, variable

_MOST = 900_000  # bytes; GitHub drops a summary of more than 1 MiB


def main() -> None:
    """Append the summary to the job's page."""
    written = temporary("summary") / "summary.md"
    text = written.read_bytes()[:_MOST].decode(errors="ignore") if written.is_file() else unfinished()
    with Path(variable("GITHUB_STEP_SUMMARY")).open("a", encoding="utf-8") as stream:
        stream.write(f"{text.rstrip()}\n\n{link()}\n")


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


if __name__ == "__main__":
    run(main)
