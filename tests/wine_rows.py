"""The rows of wine in batches, and classifiers fitted on them: what the tests of classical models share."""

import math

import numpy as np
import torch
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

from image_classifier import compose
from image_classifier.model import classical, inference
from image_classifier.runtime import Runtime
from image_classifier.training.fit import Fit

PLACE = Runtime("cpu", "fp32", 1, "any")
ROWS, LABELS = datasets.load_wine(return_X_y=True)
ROWS = StandardScaler().fit_transform(ROWS).astype(np.float32)


class Batches:
    """All rows in batches of 50, as (N, features, 1, 1)."""

    def __init__(self, rows=ROWS, labels=LABELS):
        self.rows, self.labels, self.count = rows, labels, len(rows)

    def __len__(self):
        return math.ceil(self.count / 50)

    def epoch(self, epoch, start=0):
        for begin in range(0, self.count, 50):
            part = slice(begin, begin + 50)
            yield torch.from_numpy(self.rows[part])[:, :, None, None], torch.from_numpy(self.labels[part])


def fitted(name, batches=None, num_classes=3, **settings):
    batches = batches or Batches()
    model = classical.build(num_classes, (1, 1, 13), name, seed=5)
    training = Fit(model, compose(model=name, **settings), PLACE, train=batches, val=batches)
    (done,) = training.fit()
    return training, done.report


def shares(model, batches=None):
    return inference.probabilities(model, (batches or Batches()).epoch(0), PLACE, 3)[1]
