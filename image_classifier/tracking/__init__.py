"""MLflow mirrors the run folder; it is never the truth."""

from image_classifier.tracking.address import Where, resolve
from image_classifier.tracking.mirroring import Mirror, mlflow_run, send, send_entry, training_run
from image_classifier.tracking.server import modules

__all__ = ["Mirror", "Where", "mlflow_run", "modules", "resolve", "send", "send_entry", "training_run"]
