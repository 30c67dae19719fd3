"""Measure a finished run's model again, or on other data."""

import argparse
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from image_classifier import cpus, files, runs, runtime
from image_classifier.arguments import add_cache, add_run, cache_folder
from image_classifier.data.outline import outline
from image_classifier.data.preparing import prepare
from image_classifier.data.store import Store
from image_classifier.errors import UserError
from image_classifier.evaluation import metrics
from image_classifier.model import inference
from image_classifier.runs import Run
from image_classifier.runtime import Runtime
from image_classifier.training import examples, restoring
from image_classifier.training import results as figures
from image_classifier.training.composition import data_settings

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run or the experiment, what it is measured on, and where the figures are written."""
    add_run(
        parser,
        "a run's folder, or E/R under the experiments folder; or an experiment E: each of its runs is measured",
    )
    parser.add_argument("--split", choices=("val", "test"), default="test", help="default: %(default)s")
    parser.add_argument("--dataset_folder", metavar="D", help="measure on this data and leave the run as it is")
    add_cache(parser)
    text = "write the figures here and leave the run as it is"
    parser.add_argument("--output", type=Path, metavar="FILE.json", help=text)
    text = (
        "the same in short, without the figures of each class; of an experiment, first the run with the best validation"
    )
    parser.add_argument("--summary", type=Path, metavar="FILE.json", help=text)


def run(arguments: argparse.Namespace) -> int:
    """Measure a run's model again: into the run itself, or, on other data or for a file, beside it."""
    for flag in ("output", "summary"):
        path = getattr(arguments, flag)
        if path and path.suffix != ".json":
            raise UserError(f"--{flag} {path} does not end in .json", "the figures are written as JSON")
    members = runs.members(arguments.run, arguments.experiments_folder)
    if members:
        return _experiment(members, arguments)
    measured = runs.find(arguments.run, arguments.experiments_folder)
    store = _opened(measured, arguments)
    apart = arguments.output or arguments.summary or arguments.split != "test"
    if not apart and _is_own(store, measured):
        return _again(measured, store)
    report = _report(measured, store, arguments.split)
    _write(arguments, report, _brief(report))
    print("\n".join(figures.lines(report, measured.noun)))
    return 0


def _again(measured: Run, store: Store) -> int:
    """Write the run's own files again."""
    place = _place(measured)
    model = restoring.model_of(measured, place.torch_device)
    with files.lock(measured.folder, f"{measured.folder} is in use by another process"):
        figures.write_predictions(measured, figures.predict(model, store, measured.config, place))
        figures.write_figures(measured)
        runs.refresh(measured, figures.WRITTEN)
    print(figures.summary(measured))
    return 0


def _experiment(members: Sequence[Run], arguments: argparse.Namespace) -> int:
    """Measure every run of an experiment and leave them as they are; in short, with the one that validation chose."""
    reports = {}
    for each in members:
        report = _report(each, _opened(each, arguments), arguments.split)
        print("\n".join([each.name, *figures.lines(report, each.noun)]))
        reports[each.folder.name] = report
    brief = {name: _brief(report) for name, report in reports.items()}
    best = _chosen(members)
    if best is not None:
        print(f"chosen      {best.name}, by validation")
    chosen = {} if best is None else {"chosen": best.folder.name, **brief[best.folder.name]}
    _write(arguments, reports, {**chosen, "runs": brief})
    return 0


def _chosen(members: Sequence[Run]) -> Run | None:
    """The run with the best validation, if all have one, on the same data."""
    found = [each.metrics()["val"] for each in members]
    if None in found or len({each.card["dataset_digest"] for each in members}) > 1:
        return None
    best = max(range(len(members)), key=lambda index: (found[index]["accuracy"], -found[index]["loss"]))
    return members[best]


def _brief(report: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in ("per_class", "val")}


def _write(arguments: argparse.Namespace, detailed: Mapping[str, Any], brief: Mapping[str, Any]) -> None:
    for path, report in ((arguments.output, detailed), (arguments.summary, brief)):
        if path:
            files.write_json(path, dict(report))


def _opened(measured: Run, arguments: argparse.Namespace) -> Store:
    store = _store(measured, arguments.dataset_folder, cache_folder(arguments))
    if arguments.dataset_folder is None and not _is_own(store, measured):
        raise _changed(measured, "its digest is another")
    return store


def _changed(measured: Run, how: str) -> UserError:
    """The run's own data is not what it was."""
    data = measured.record["dataset_folder"]
    return UserError(
        f"the data of {measured.name}, {data}, has changed since it was trained: {how}",
        "restore it, or give other data with --dataset_folder, which leaves the run as it is",
    )


def _is_own(store: Store, measured: Run) -> bool:
    return bool(store.digest == measured.card["dataset_digest"])


def _store(measured: Run, dataset_folder: str | None, cache_folder: Path) -> Store:
    """The run's own data as it was prepared, or other data as this run reads it."""
    data = dataset_folder or measured.record["dataset_folder"]
    own = data == measured.record["dataset_folder"]
    how = data_settings(measured.config) | {"columns": None}
    if not own and outline(data, 0).is_table:
        how |= {"image_size": None, "columns": measured.columns}
    elif not own:
        how |= {"image_size": _side(measured), "target_column": None, "drop_columns": ()}
    store = prepare(data, cache_folder=cache_folder, **how)
    unfit = _unfit(store, measured)
    if unfit and dataset_folder is None:
        raise _changed(measured, unfit)
    if unfit:
        raise UserError(f"{measured.name} cannot be measured on {dataset_folder}: {unfit}", "give data like its own")
    return store


def _side(measured: Run) -> int | None:
    """The side of the images that the run reads, if they are square."""
    height, width, _ = measured.card["input"]["shape"]
    return height if height == width and measured.columns is None else None


def _unfit(store: Store, measured: Run) -> str:
    """What of the data the run's model cannot read, if anything."""
    before, now = measured.columns or (), store.columns or ()
    if bool(before) != bool(now):
        return f"it holds {'rows of a table' if now else 'images'}, and the run reads {measured.noun}"
    if before != now:
        differing = [each.name for each in before if each not in now] or [each.name for each in now]
        return f"its columns or their categories are others: {', '.join(differing[:8])}"
    shape = tuple(measured.card["input"]["shape"])
    if store.shape != shape:
        return f"its images are {_size(store.shape)}, and the run reads {_size(shape)}"
    return ""


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _predict_other(model: nn.Module, store: Store, measured: Run, place: Runtime) -> figures.Arrays:
    """As `predict`, on data that the run has not seen: all of it where it has no test split, classes by name."""
    unknown = [name for name in store.classes if name not in measured.classes]
    if unknown:
        raise UserError(
            f"{measured.name} does not know the class {', '.join(unknown[:8])}",
            f"it knows {', '.join(measured.classes[:8])}{' …' * (len(measured.classes) > 8)}",
        )
    number = np.array([measured.classes.index(name) for name in store.classes])
    mean, std = (tuple(measured.card["input"][name]) for name in ("mean", "std"))
    arrays: figures.Arrays = {}
    for name, splits in (("test", ("train", "test") if store.draws_test else ("test",)), ("val", ("val",))):
        labels, shares = [np.empty(0, np.int64)], [np.empty((0, len(measured.classes)), np.float32)]
        for split in (store.splits[each] for each in splits if each in store.splits):
            batches = examples.measuring(split, np.arange(len(split.labels)), mean, std, place, model=model)
            found = inference.probabilities(model, batches.epoch(0), place, len(measured.classes))
            labels.append(number[found[0]])
            shares.append(found[1])
        arrays |= {f"{name}_labels": np.concatenate(labels), f"{name}_probabilities": np.concatenate(shares)}
    return arrays


def _place(measured: Run) -> Runtime:
    """Where the run computed, if this machine has it; else where it can."""
    before = measured.card["runtime"]
    config = measured.config
    fits = before["num_threads"] <= cpus.most_threads()
    if not fits:
        config = dataclasses.replace(config, num_threads="auto")
    possible = fits and (before["device"] == "cpu" or runtime.has_gpu())
    place = runtime.Runtime(**before) if possible else runtime.of(config)
    alike = place.capability == runtime.capability(place.device) and measured.card["versions"] == runtime.versions()
    if not (possible and alike):
        logger.warning("this machine or its libraries are not those of %s: the last digits may differ", measured.name)
    runtime.activate(place)
    return place


def _report(measured: Run, store: Store, split: str) -> dict[str, Any]:
    """The figures of one split of the run's data, or of other data."""
    place = _place(measured)
    model = restoring.model_of(measured, place.torch_device)
    own = _is_own(store, measured)
    arrays = (
        figures.predict(model, store, measured.config, place) if own else _predict_other(model, store, measured, place)
    )
    chosen = figures.predictions_of(arrays, split)
    if chosen is None:
        raise UserError(
            f"{measured.name} has no {split} examples", "train with --val_fraction above 0, or use --split test"
        )
    return metrics.report(split, chosen, measured.classes)
