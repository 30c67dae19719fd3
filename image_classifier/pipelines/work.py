"""What a step works with: its parameters, its data scope, and what earlier steps stored for it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from image_classifier import files
from image_classifier.errors import UserError
from image_classifier.pipelines import structure, use_case
from image_classifier.pipelines.parameters import Parameters
from image_classifier.pipelines.storage import INPUT, TMP, Storage
from image_classifier.pipelines.use_case import UseCase


class NoDataError(Exception):
    """A data scope has nothing to train on: it ends as skipped, not as a success and not as a failure."""


@dataclass(frozen=True)
class Work:
    """One step of one pipeline run; `folder` is a scratch folder of its own."""

    storage: Storage
    parameters: Parameters
    folder: Path
    scope: str = ""

    @cached_property
    def use_case(self) -> UseCase:
        """The use case that the parameters name."""
        return use_case.read(self.parameters.use_case)

    def place(self, kind: str) -> str:
        """Where this pipeline run keeps such an output."""
        about = structure.kinds()[kind]
        named = {
            "kf_run_id": self.parameters.kf_run_id,
            "use_case": self.parameters.use_case,
            "run_type": self.parameters.run_type,
            "scope": self.scope,
        }
        return self.storage.path(about.area, *about.names(**named))

    def publish(self, kind: str, folder: Path) -> str:
        """Store an output, once it is what the structure says; its path is what the next step gets."""
        structure.check(folder, kind, self.use_case.columns if self.use_case.is_table else None)
        path = self.place(kind)
        self.storage.put(folder, path)
        return path

    def fetched(self, path: str) -> Path:
        """What an earlier step of this pipeline run stored, in a folder here."""
        inside = self.storage.inside(path, TMP, self.parameters.kf_run_id)
        return self.storage.get(inside, self._new(inside))

    def raw(self, path: str) -> Path:
        """The data as they were put or extracted, in a folder here."""
        for area, names in ((INPUT, (self.parameters.use_case,)), (TMP, (self.parameters.kf_run_id,))):
            if path.startswith(self.storage.path(area) + "/"):
                inside = self.storage.inside(path, area, *names)
                return self.storage.get_listed(inside, self._new(inside))
        raise UserError(f"{path!r} is no path of the pipeline's", "give the path that an earlier step printed")

    def settings(self) -> Path:
        """The settings of the use case's trainings as a file for --config."""
        path = self.folder / "settings.yaml"
        files.write_text(path, self.use_case.settings_file())
        return path

    def _new(self, path: str) -> Path:
        """A folder here for what a path holds."""
        return self.folder / path.rpartition("/")[2]
