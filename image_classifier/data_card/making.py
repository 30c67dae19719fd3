"""The data card as a file: of a prepared store, or of the files that keep one from being prepared."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from image_classifier import files
from image_classifier.data.inputs import UnusableFilesError
from image_classifier.data.store import Store
from image_classifier.data_card import keeping
from image_classifier.data_card.content import content
from image_classifier.data_card.page import broken_page, page
from image_classifier.errors import UserError
from image_classifier.settings.names import NAMED_DATA


def refuse(report: Path, dataset_folder: str, output: Path | None) -> None:
    """Raise a `UserError` if no card can be written there; before anything is prepared."""
    if report.suffix.lower() != ".html":
        raise UserError(f"--report {report} does not end in .html", "the data card is a page for a browser")
    if not report.parent.is_dir():
        raise UserError(f"--report {report}: there is no folder {report.parent}", "make it, or choose another place")
    if report.exists() and not report.is_file():
        raise UserError(f"--report {report} is no regular file", "choose another path")
    data = None if dataset_folder in NAMED_DATA else Path(dataset_folder).expanduser()
    for flag, folder in (("the data set", data), ("--output", output)):
        if folder is not None and report.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"--report {report} is inside {flag} {folder}", "choose a place beside it")


def write(report: Path, dataset_folder: str, store: Store, cache_folder: Path) -> None:
    """Write the card of a prepared store, and keep it where a training of the same data finds it."""
    text = page(_title(dataset_folder), content(store))
    files.write_text(report, text)
    keeping.keep(text, cache_folder, store.digest)


@contextmanager
def broken_files_written(report: Path | None, dataset_folder: str) -> Iterator[None]:
    """A block that prepares: what it cannot use is on the card, too, before its error goes on."""
    try:
        yield
    except UnusableFilesError as error:
        if report is not None:
            files.write_text(report, broken_page(_title(dataset_folder), error.failures, error.total))
        raise


def _title(dataset_folder: str) -> str:
    """The data set's own name: the page may be sent to others, the path to it tells them nothing."""
    return dataset_folder.rstrip("/").rpartition("/")[2] or dataset_folder
