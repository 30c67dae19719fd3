"""Everything about a sweep that is decided, and can be refused, before anything is written."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier import cpus, runs
from image_classifier.data.preparing import prepare
from image_classifier.errors import UserError
from image_classifier.runs import Run
from image_classifier.settings.config import Config
from image_classifier.settings.database import AS_USUAL, Access
from image_classifier.settings.layers import Kind, Layer, Origin
from image_classifier.settings.names import check_name
from image_classifier.sweep import grid
from image_classifier.sweep import record as sweep_record
from image_classifier.sweep.grid import Axes, Child
from image_classifier.sweep.record import Sweep
from image_classifier.tracking import Where
from image_classifier.training.choice import preparation_of

_THREADS = "num_threads"
_SHARE = Origin(Kind.SWEEP, "the sweep")


@dataclass(frozen=True)
class SweepRequest:
    """What is asked for: settings of which some are lists, and how many runs at a time."""

    experiment_name: str
    layers: Sequence[Layer]
    at_once: int
    experiments_folder: Path
    cache_folder: Path
    tracking: Where | None
    tags: Mapping[str, str]
    access: Access = AS_USUAL  # to a database, where the data is in one

    @property
    def folder(self) -> Path:
        """The experiment's folder, which need not exist."""
        return self.experiments_folder / self.experiment_name


@dataclass(frozen=True)
class SweepPlan:
    """The runs to have, the threads each of them has if nobody has said, and what is there already."""

    grid: Axes
    fixed: Mapping[str, Any]
    children: Sequence[Child]
    threads: str | None
    earlier: Sweep | None
    trained: Mapping[str, Run]

    def layers(self, child: Child) -> list[Layer]:
        """The child's settings over the number of threads that is its share; a run that has begun keeps its own."""
        if self.threads is None:
            return list(child.layers)
        begun = self.trained.get(child.name)
        threads = begun.config.num_threads if begun else self.threads
        return [Layer(_SHARE, {_THREADS: threads}), *child.layers]


def plan(request: SweepRequest) -> SweepPlan:
    """The plan of a new sweep, or of one that goes on; every refusal comes from here."""
    check_name(request.experiment_name, "--experiment_name")
    children = grid.children(request.layers, grid.axes(request.layers), request.experiments_folder, request.access)
    folders = {
        child.name: runs.locate(request.experiments_folder, request.experiment_name, child.name) for child in children
    }
    earlier = sweep_record.read(request.folder) if sweep_record.exists(request.folder) else None
    trained = {name: runs.read(folder) for name, folder in folders.items() if runs.exists(folder)}
    given = any(_THREADS in layer.values for layer in request.layers)
    for child in children:
        if child.name in trained:
            _refuse_other_settings(child, trained[child.name], threads_given=given)
    threads = None if given else _threads(request.at_once, earlier)
    _refuse_too_many_threads(children, threads, request.at_once)
    _prepare(children, request)
    axes = {name: list(dict.fromkeys(child.values[name] for child in children)) for name in children[0].values}
    fixed = {name: value for layer in request.layers for name, value in layer.values.items() if name not in axes}
    return SweepPlan(axes, fixed, children, threads, earlier, trained)


def _threads(at_once: int, earlier: Sweep | None) -> str:
    """A run's share of the CPUs; the same for all runs of a sweep, since results depend on it."""
    before = earlier.record["asked"].get(_THREADS) if earlier else None
    return str(before or max(1, cpus.available_cpus() // at_once))


def _refuse_too_many_threads(children: Sequence[Child], threads: str | None, at_once: int) -> None:
    """Here and not in the workers: each of them would see its own threads alone."""
    asked = {threads or child.config.num_threads for child in children}
    most = max(cpus.available_cpus() if each == "auto" else int(each) for each in asked)
    cpus.refuse_too_many_threads(most, min(at_once, len(children)))


def _refuse_other_settings(child: Child, trained: Run, *, threads_given: bool) -> None:
    """A run is never trained again, so it must be what the grid asks for."""
    asked = {name: value for name, value in child.config.numeric().items() if name != _THREADS or threads_given}
    before = dataclasses.asdict(trained.config) | {"dataset_folder": trained.record["dataset_folder"]}
    if trained.origins["batch_size"].kind is Kind.DATA:
        asked.pop("batch_size")  # it was made smaller because there are few examples, and would be again
    if asked["image_size"] is None:
        asked.pop("image_size")  # it is the weights' where they have one
    for name, value in (asked | {"dataset_folder": child.dataset_folder}).items():
        if name not in before or before[name] != value:
            raise UserError(
                f"{trained.name} was trained with {name} {before.get(name)}, and the sweep asks for {value}",
                "choose another --experiment_name",
            )


def _prepare(children: Sequence[Child], request: SweepRequest) -> None:
    """Prepare each data set once and not in every worker; where none can be, there is nothing to train."""
    wanted = {
        (child.dataset_folder, *child.config.data_settings().items(), *_weights(child.config)): child
        for child in children
    }
    errors = []
    for child in wanted.values():
        try:
            how = preparation_of(child.config, child.dataset_folder, request.experiments_folder, request.access)
            prepare(child.dataset_folder, cache_folder=request.cache_folder, access=request.access, **how)
        except UserError as error:  # the runs that need it will say so
            errors.append(error)
    if len(errors) == len(wanted):
        raise errors[0]


def _weights(config: Config) -> tuple[str, ...]:
    """What decides the input of the weights that a training starts from."""
    return (config.model, config.pretrained_model) if config.pretrained_model else ()
