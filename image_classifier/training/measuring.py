"""A finished run measured again: on its own data, or on other data that its model can read."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from image_classifier import files, runs
from image_classifier.data.outline import outline
from image_classifier.data.preparing import prepare
from image_classifier.data.store import Store
from image_classifier.errors import UserError
from image_classifier.evaluation import metrics
from image_classifier.model import inference
from image_classifier.runs import Run
from image_classifier.runtime import Runtime
from image_classifier.settings.database import AS_USUAL, Access
from image_classifier.settings.names import DATABASE
from image_classifier.training import changes, results
from image_classifier.training.examples import measuring, select
from image_classifier.training.results import Arrays
from image_classifier.training.trained import model_of, runtime_of


def opened(run: Run, dataset_folder: str | None, cache_folder: Path, access: Access = AS_USUAL) -> Store:
    """The data to measure on: the run's own as it was prepared for it, or other data as this run reads it."""
    data = dataset_folder or run.record["dataset_folder"]
    # A database that is named may be another one.
    own = dataset_folder is None or (data == run.record["dataset_folder"] and data != DATABASE)
    how = run.config.data_settings() | {"columns": None, "fitting": run.fitting}
    about = None if own else outline(data, 0, access)
    if about and about.is_table:
        how |= {"image_size": None, "columns": run.columns, "group_column": None}
    elif about:
        label = run.config.target_column if about.by_manifest else None
        how |= {"image_size": _side(run), "target_column": label, "group_column": None, "drop_columns": ()}
    store = prepare(data, cache_folder=cache_folder, access=access, **how)
    unfit = _unfit(store, run)
    if dataset_folder is None and (unfit or not is_own(store, run)):
        words = unfit or changes.since(run, store, cache_folder)
        raise UserError(
            f"the data of {run.name}, {data}, has changed since it was trained: {words}",
            "restore it, or give other data with --dataset_folder, which leaves the run as it is",
        )
    if unfit:
        raise UserError(f"{run.name} cannot be measured on {dataset_folder}: {unfit}", "give data like its own")
    described = run.card["input"]
    return dataclasses.replace(store, mean=tuple(described["mean"]), std=tuple(described["std"]))


def is_own(store: Store, run: Run) -> bool:
    """Whether this is the data that the run was trained on."""
    return bool(store.digest == run.card["dataset_digest"])


def write_again(run: Run, store: Store) -> None:
    """Write the run's own predictions, figures and pictures again."""
    runtime = runtime_of(run)
    model = model_of(run, runtime.torch_device)
    with files.lock(run.folder, f"{run.folder} is in use by another process"):
        results.write_predictions(run, results.predict(model, store, select(store, run.config), runtime))
        results.write_metrics_and_pictures(run, int(run.record["best_epoch"]))
        runs.refresh(runs.read(run.folder), results.RESULT_FILES)  # tracking may have noted an id in it


def report(run: Run, store: Store, split: str) -> dict[str, Any]:
    """The figures of one split of the run's data, or of other data."""
    runtime = runtime_of(run)
    model = model_of(run, runtime.torch_device)
    if is_own(store, run):
        arrays = results.predict(model, store, select(store, run.config), runtime)
    else:
        arrays = _predict_other(model, store, run, runtime)
    chosen = results.predictions_of(arrays, split)
    if chosen is None:
        raise UserError(f"{run.name} has no {split} examples", "train with --val_fraction above 0, or use --split test")
    return metrics.split_metrics(split, chosen, run.classes)


def _side(run: Run) -> int | None:
    """The side of the images that the run reads, if they are square."""
    height, width, _ = run.card["input"]["shape"]
    return height if height == width and run.columns is None else None


def _unfit(store: Store, run: Run) -> str:
    """What of the data the run's model cannot read, if anything."""
    before, now = run.columns or (), store.columns or ()
    if bool(before) != bool(now):
        return f"it holds {'rows of a table' if now else 'images'}, and the run reads {run.noun}"
    if before != now:
        differing = [each.name for each in before if each not in now] or [each.name for each in now]
        return f"its columns or their categories are others: {', '.join(differing[:8])}"
    shape = tuple(run.card["input"]["shape"])
    if store.shape != shape:
        return f"its images are {_size(store.shape)}, and the run reads {_size(shape)}"
    return ""


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _predict_other(model: nn.Module, store: Store, run: Run, runtime: Runtime) -> Arrays:
    """As `results.predict`, on data new to the run: all of it where it has no test split; classes by their names."""
    unknown = [name for name in store.classes if name not in run.classes]
    if unknown:
        raise UserError(
            f"{run.name} does not know the class {', '.join(unknown[:8])}",
            f"it knows {', '.join(run.classes[:8])}{' …' * (len(run.classes) > 8)}",
        )
    number = np.array([run.classes.index(name) for name in store.classes])
    arrays: Arrays = {}
    for name, splits in (("test", ("train", "test") if store.draws_test else ("test",)), ("val", ("val",))):
        labels, shares = [np.empty(0, np.int64)], [np.empty((0, len(run.classes)), np.float32)]
        for split in (store.splits[each] for each in splits if each in store.splits):
            batches = measuring(split, np.arange(len(split.labels)), store.mean, store.std, runtime, model=model)
            found = inference.probabilities(model, batches.epoch(0), runtime, len(run.classes))
            labels.append(number[found[0]])
            shares.append(found[1])
        arrays |= {f"{name}_labels": np.concatenate(labels), f"{name}_probabilities": np.concatenate(shares)}
    return arrays
