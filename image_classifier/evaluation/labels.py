"""Which labels look wrong: what a model that has not seen an example says of it, against what was given.

Order and count follow confident learning (Northcutt, Jiang and Chuang 2021), as cleanlab has it: the normalised margin
ranks, and a label is doubted where another class is as likely as it is on average for that class's own examples.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from image_classifier.randomness import key, order

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]

FOLDS = 5
_RIDGE = 0.3  # for features of deviation 1, as a share of the number of examples
_TRIED = 4000  # examples that a temperature is tried on
_TEMPERATURES = np.geomspace(0.03, 1.0, 12)


@dataclass(frozen=True, eq=False)
class Suspicion:
    """What speaks against each label; `order` lists the examples that could be judged, the most suspicious first."""

    order: Integers
    margin: Floats  # 0: sure of another class, 1: sure of the given one; NaN where the class is too small to judge
    suggested: Integers
    doubted: npt.NDArray[np.bool_]


def out_of_fold(features: npt.NDArray[np.float32], labels: Integers, groups: Integers, classes: int) -> Floats:
    """Probabilities (N, classes) of each example by a ridge regression that was fitted without its fold.

    Examples of one group (copies of an image) are in one fold: a copy with the same wrong label would confirm it.
    """
    folds = _folds(labels, groups)
    inputs = np.concatenate([features, np.ones((len(features), 1), np.float32)], axis=1)
    scores = np.zeros((len(labels), classes), np.float32)
    products = [_products(inputs[folds == fold], labels[folds == fold], classes) for fold in range(FOLDS)]
    for fold in range(FOLDS):
        square = sum(each for index, (each, _) in enumerate(products) if index != fold)
        target = sum(each for index, (_, each) in enumerate(products) if index != fold)
        penalty = np.full(inputs.shape[1], max(1.0, _RIDGE * np.count_nonzero(folds != fold)))
        penalty[-1] = 1e-6  # the constant is not held down
        weights = np.linalg.solve(square + np.diag(penalty), target).astype(np.float32)
        scores[folds == fold] = inputs[folds == fold] @ weights
    return _probabilities(scores, labels)


def suspicion(probabilities: Floats, labels: Integers, groups: Integers) -> Suspicion:
    """The labels ranked by how little the probabilities support them."""
    count, classes = probabilities.shape
    every = np.arange(count)
    given = probabilities[every, labels]
    others = probabilities.copy()
    others[every, labels] = -1
    suggested = others.argmax(axis=1)
    margin = (given - others[every, suggested] + 1) / 2
    # A class must be there in training whichever fold is left out.
    distinct = np.bincount(labels[np.unique(groups, return_index=True)[1]], minlength=classes)
    judged = distinct[labels] >= FOLDS
    ranked = np.argsort(np.where(judged, margin, np.inf), kind="stable")
    doubted = _confident(probabilities, labels, classes) & judged
    return Suspicion(ranked[: np.count_nonzero(judged)], np.where(judged, margin, np.nan), suggested, doubted)


def _confident(probabilities: Floats, labels: Integers, classes: int) -> npt.NDArray[np.bool_]:
    """Off the diagonal of the confident joint: the likeliest class among those that pass their threshold is another."""
    sums = np.bincount(labels, weights=probabilities[np.arange(len(labels)), labels], minlength=classes)
    thresholds = sums / np.maximum(np.bincount(labels, minlength=classes), 1)
    passing = np.where(probabilities >= thresholds, probabilities, -1)
    return np.asarray((passing.max(axis=1) >= 0) & (passing.argmax(axis=1) != labels))


def _folds(labels: Integers, groups: Integers) -> Integers:
    """A fold for each example: whole groups, the classes spread evenly over the folds."""
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    random = order(key(0, "folds"), len(first))
    by_class = random[np.argsort(labels[first[random]], kind="stable")]
    folds = np.empty(len(first), np.int64)
    folds[by_class] = np.arange(len(first)) % FOLDS
    return folds[member]


def _products(inputs: npt.NDArray[np.float32], labels: Integers, classes: int) -> tuple[Floats, Floats]:
    """What a least-squares fit needs to know of some examples."""
    target = np.zeros((inputs.shape[1], classes))
    for label in np.unique(labels):
        target[:, label] = inputs[labels == label].sum(axis=0, dtype=np.float64)
    return (inputs.T @ inputs).astype(np.float64), target


def _probabilities(scores: Floats, labels: Integers) -> Floats:
    """The scores as probabilities, at the temperature under which the given labels are the likeliest."""
    some = np.arange(0, len(labels), 1 + len(labels) // _TRIED)
    losses = [
        -np.log(np.maximum(_softmax(scores[some] / temperature)[np.arange(len(some)), labels[some]], 1e-12)).mean()
        for temperature in _TEMPERATURES
    ]
    return _softmax(scores / _TEMPERATURES[int(np.argmin(losses))])


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
