"""Names that the package, the scripts of the workflows and the documents share. Needs the standard library alone."""

import re

# An experiment's and a run's: a plain folder name on every file system, and nothing that a shell or a path interprets.
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

BUILT_IN_TABLES = ("wine", "breast_cancer")
BUILT_IN_DATA = ("digits", *BUILT_IN_TABLES)
DEFAULT_DATASET = "data/cifar_dataset"  # CIFAR-10, downloaded where it is missing

PUBLISHED_WEIGHTS = "torchvision"  # as --pretrained_model: what torchvision publishes for the model

# The settings with a field of their own in GitHub's form, in its order; every other one fits into `overrides`.
IN_THE_FORM = ("model", "learning_rate", "momentum", "num_epochs", "num_workers", "batch_size", "pretrained_model")
RUNNERS = ("ubuntu-24.04", "self-hosted-gpu")
