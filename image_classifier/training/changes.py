"""What has changed in the data since a run was trained on it, in words: by example where the store of then is there."""

import os
from pathlib import Path

import numpy as np

from image_classifier.data.store import Store
from image_classifier.data.versions import difference, kept
from image_classifier.runs import Run
from image_classifier.settings.names import NAMED_DATA


def same_data(one: str, other: str) -> bool:
    """Whether two names mean one data set; `digits` and `./digits` do not."""
    named = {one, other} & set(NAMED_DATA)
    return one == other or (not named and os.path.realpath(one) == os.path.realpath(other))


def since(run: Run, store: Store, cache_folder: Path) -> str:
    """How the store differs from what the run was trained on."""
    words = to(store, run.card["dataset_digest"], cache_folder)
    if words is not None:
        return words
    counted = [*_classes(run, store), *(_test_examples(run, store) if run.finished else [])]
    gone = f"the store of then is no longer in {cache_folder}, so nothing can be compared by name"
    return "; ".join([*counted, gone])


def to(store: Store, digest: str, cache_folder: Path) -> str | None:
    """How the store differs from the one of this digest; None where that one is not in the cache."""
    before = kept(cache_folder, digest)
    return None if before is None else difference(before, store).words


def _classes(run: Run, store: Store) -> list[str]:
    added = [name for name in store.classes if name not in run.classes]
    gone = [name for name in run.classes if name not in store.classes]
    return [f"{what}: {', '.join(names[:8])}" for what, names in (("new classes", added), ("gone", gone)) if names]


def _test_examples(run: Run, store: Store) -> list[str]:
    """The numbers of test examples: the run has kept its answers to them."""
    labels, now = run.predictions()["test_labels"], store.splits["test"].labels
    here, there = (
        dict(zip(classes, np.bincount(found, minlength=len(classes)).tolist(), strict=True))
        for classes, found in ((run.classes, labels), (store.classes, now))
    )
    differing = [
        f"{name}: {here[name]:,} before, {there[name]:,} now"
        for name in run.classes
        if name in there and here[name] != there[name]
    ]
    if not differing and len(labels) == len(now):
        return [f"as many test {run.noun} of each class as before"]
    listed = f" ({', '.join(differing[:8])}{', …' * (len(differing) > 8)})" if differing else ""
    return [f"{len(labels):,} test {run.noun} before, {len(now):,} now{listed}"]
