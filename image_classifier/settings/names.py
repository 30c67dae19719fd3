"""Names that the package, the scripts of the workflows and the documents share. Needs the standard library alone."""

import re

from image_classifier.errors import UserError

# An experiment's and a run's: a plain folder name on every file system, and nothing that a shell or a path interprets.
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

# The files of a run that others than the package read; the model's is that of a network (`families.Family.model_file`).
RECORD = "run.json"
METRICS = "metrics.json"
MODEL = "model.pth"
ERROR_SETS = "error_sets.json"
DATA_CARD = "data_card.html"

BUILT_IN_TABLES = ("wine", "breast_cancer")
BUILT_IN_DATA = ("digits", *BUILT_IN_TABLES)
DATABASE = "database"  # what the query of --db_connect finds
NAMED_DATA = (*BUILT_IN_DATA, DATABASE)  # no paths
DEFAULT_DATASET = "data/cifar_dataset"  # CIFAR-10, downloaded where it is missing

# As --pretrained_model: the weights that are published for the model (the second for torchvision's models only), and
# none, where its recipe says otherwise.
IMAGENET, TORCHVISION, NO_WEIGHTS = "imagenet", "torchvision", "none"
PUBLISHED_WEIGHTS = (IMAGENET, TORCHVISION)

# The settings with a field of their own in GitHub's form, in its order; every other one fits into `overrides`.
IN_THE_FORM = ("model", "learning_rate", "momentum", "num_epochs", "num_workers", "batch_size", "pretrained_model")
RUNNERS = ("ubuntu-24.04", "self-hosted-gpu")

# Where runs are sent: the variable that says it, its word for "nowhere", and what is kept beside the experiments.
TRACKING_URI = "MLFLOW_TRACKING_URI"
OFF = "off"
STORE = "mlflow.db"
ARTIFACTS = "mlartifacts"  # beside the store; `make ui` names it to MLflow's server

# Variables that tell a run what it cannot find out in a container (docker/Dockerfile sets the first and the last).
GIT_COMMIT = "IMAGE_CLASSIFIER_GIT_COMMIT"
IMAGE_DIGEST = "IMAGE_CLASSIFIER_IMAGE_DIGEST"
LOCK_DIGEST = "IMAGE_CLASSIFIER_LOCK_DIGEST"


def check_name(name: str, flag: str) -> None:
    """Refuse a name of an experiment or a run that is no plain folder name everywhere."""
    if not RUN_NAME.fullmatch(name):
        raise UserError(
            f"{flag} {name!r} is not a valid name",
            "use 1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit",
        )
    if name in (STORE, ARTIFACTS):
        raise UserError(f"{flag} {name} is what tracking keeps its files under", "choose another name")
