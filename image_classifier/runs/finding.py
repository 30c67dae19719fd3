"""Where a run's folder is: by its path or its name, and never outside the experiments folder."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from image_classifier import files
from image_classifier.errors import UserError, suggestion
from image_classifier.runs.record import Run, read
from image_classifier.settings.names import RECORD, check_name

logger = logging.getLogger(__name__)


def locate(experiments_folder: Path, experiment_name: str, run_name: str) -> Path:
    """The folder of the named run, which need not exist; never one outside the experiments folder."""
    check_name(experiment_name, "--experiment_name")
    check_name(run_name, "--run_name")
    folder = experiments_folder / experiment_name / run_name
    try:
        inside = folder.resolve().is_relative_to(experiments_folder.resolve())
    except (OSError, RuntimeError) as error:
        raise UserError(f"{folder} cannot be reached: {error}", "remove the link, or choose another name") from error
    if not inside:
        raise UserError(
            f"{folder} leads out of {experiments_folder} through a link", "remove the link, or choose another name"
        )
    return folder


def find(run: str, experiments_folder: Path) -> Run:
    """The finished run that RUN names: a folder's path, or `experiment/run` under the experiments folder."""
    candidates = [Path(run), experiments_folder / run]
    folder = next((path for path in candidates if (path / RECORD).is_file()), None)
    if folder is None:
        near = [f"{other.folder.parent.name}/{other.folder.name}" for other in listing(experiments_folder)]
        hint = suggestion(run, near) or f"give a run's folder, or experiment/run under {experiments_folder}"
        raise UserError(f"{run} is not a run", hint)
    found = read(folder.resolve())
    if not found.finished:
        raise UserError(
            f"{found.name} is not finished",
            f"--experiment_name {folder.parent.name} --run_name {folder.name} --resume goes on with it",
        )
    return found


def members(experiment: str, experiments_folder: Path) -> list[Run]:
    """The runs of the experiment that is named, by its folder or its name, all of them finished; none if there is none.

    A name that a run has too is that run's.
    """
    candidates = [Path(experiment), experiments_folder / experiment]
    if any((path / RECORD).is_file() for path in candidates):
        return []
    folder = next((path for path in candidates if any(path.glob(f"*/{RECORD}"))), None)
    names = sorted(path.parent.name for path in folder.glob(f"*/{RECORD}")) if folder else []
    return [find(str(folder.resolve() / name), experiments_folder) for name in names] if folder else []


def exists(folder: Path) -> bool:
    """Whether the folder holds a run; one that holds something else is refused."""
    if (folder / RECORD).is_file():
        return True
    if folder.exists() and (not folder.is_dir() or any(path.name[0] != "." for path in folder.iterdir())):
        raise UserError(f"{folder} exists and is not a run", "choose another --run_name")
    return False


def listing(experiments_folder: Path) -> list[Run]:
    """All runs under the experiments folder, by name; what cannot be read in it is left out with a warning."""
    found = []
    for experiment in files.folders(experiments_folder) if experiments_folder.exists() else ():
        with _warned():
            for folder in files.folders(experiment):
                with _warned():
                    if (files.readable(folder) / RECORD).exists():
                        found.append(read(folder))
    return found


@contextlib.contextmanager
def _warned() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        logger.warning("%s", error.what)
