"""The calls to MLflow. Nothing else imports it, and this module only when something is sent.

MLflow loads this module too, for `artifact_repository`, in every process of its server: what takes seconds to import
is imported where it is needed.
"""

import json
import logging
import os
import posixpath
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_classifier import files, signals
from image_classifier.errors import UserError
from image_classifier.settings.config import spelled
from image_classifier.settings.names import ARTIFACTS
from image_classifier.tracking import address, sqlite
from image_classifier.tracking.address import Where

if TYPE_CHECKING:
    from mlflow.entities import Metric
    from mlflow.entities import Run as Held
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

    from image_classifier.tracking.entries import Entry

KEY = "image_classifier.key"  # the tag that says which run folder this is, whatever happened to its id
FILES = "image_classifier.files"  # the tag with the digests of what was sent

_MOST_AT_ONCE = 900  # metrics; MLflow takes 1000
_KIND = {"mlflow.experimentKind": "custom_model_development"}  # or MLflow's pages show it as one of chats
_MOST_TRIES = 4  # to open a database, one second in all; MLflow's own tries take 100 s
# MLflow's own patience is seven times 120 s, in which a run would stand still. Reporting home is the user's to allow.
# The address that it prints holds the password.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}  # fmt: skip


def modules(where: Where) -> list[str]:
    """What sending imports, for a process that imports it ahead of those that it forks."""
    _set_environment()
    return ["mlflow.tracking", *(["mlflow.store.tracking.sqlalchemy_store"] if where.store else [])]


def _set_environment() -> None:
    """Set what MLflow reads when it is imported."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


class Server:
    """A tracking server, or a database in its place; every method may raise whatever MLflow raises.

    For SQLite, whoever makes one holds the lock of the store's folder.
    """

    def __init__(self, where: Where) -> None:
        _set_environment()
        with signals.postponed():
            from mlflow.tracking import MlflowClient  # noqa: PLC0415

        for name in ("mlflow", "alembic", "urllib3"):  # their warnings quote addresses
            logging.getLogger(name).setLevel(logging.ERROR)
        if not where.uri.startswith("http"):
            from mlflow.store.db import utils  # noqa: PLC0415

            utils.MAX_RETRY_COUNT = _MOST_TRIES
        if where.store:
            sqlite.provide(where.store, _make_store)
        self._where = where
        self._client: MlflowClient = MlflowClient(where.uri)

    def held(self, entry: "Entry") -> "Held":
        """The server's run of this entry, found by its key or begun."""
        experiment = self._experiment(entry.experiment)
        found = self._client.search_runs([experiment], f"tags.`{KEY}` = '{entry.key}'", max_results=1)
        if found:
            return found[0]
        tags, started = {KEY: entry.key}, _milliseconds(entry.started)
        return self._client.create_run(experiment, start_time=started, tags=tags, run_name=entry.name)

    def send(self, entry: "Entry", held: "Held") -> None:
        """Send all that the server's run lacks."""
        self._send_values(entry, held)
        self._send_files(entry, held)
        if entry.finished and held.info.status != "FINISHED":
            self._client.set_terminated(held.info.run_id, "FINISHED", _milliseconds(entry.ended))
        elif not entry.finished and held.info.status != "RUNNING":
            self._client.update_run(held.info.run_id, "RUNNING")

    def stopped(self, run_id: str, status: str) -> None:
        """Say that a run does not go on."""
        self._client.set_terminated(run_id, status)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        found = self._client.get_experiment_by_name(name)
        if found is None:
            # A server has a place of its own. In a database it is named relative to whatever root a server will be
            # given, so that the store can be moved with its files.
            location = None if self._where.uri.startswith("http") else f"mlflow-artifacts:/{name}"
            try:
                return str(self._client.create_experiment(name, artifact_location=location, tags=_KIND))
            except MlflowException:  # another process was faster
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise UserError(f"its experiment {name} is deleted there; restore it, or choose another name")
        return str(found.experiment_id)

    def _send_values(self, entry: "Entry", held: "Held") -> None:
        from mlflow.entities import Param, RunTag  # noqa: PLC0415

        params = [Param(name, spelled(value)) for name, value in entry.params.items() if name not in held.data.params]
        tags = [RunTag(name, value) for name, value in entry.tags.items() if held.data.tags.get(name) != value]
        metrics = self._metrics(entry, held)
        for start in range(0, max(1, len(metrics)), _MOST_AT_ONCE):
            self._client.log_batch(held.info.run_id, metrics[start : start + _MOST_AT_ONCE], params, tags)
            params, tags = [], []

    def _metrics(self, entry: "Entry", held: "Held") -> list["Metric"]:
        """The epochs that the server has not seen, and the figures that are new."""
        from mlflow.entities import Metric  # noqa: PLC0415

        now, last, known = int(1000 * time.time()), 0, held.data.metrics
        new = []
        for name in {name: None for row in entry.history for name in row if name != "epoch"}:
            history = self._client.get_metric_history(held.info.run_id, name) if name in known else ()
            seen = {point.step for point in history}
            rows = [(int(row["epoch"]), row[name]) for row in entry.history if name in row]
            new += [Metric(name, value, now, epoch) for epoch, value in rows if epoch not in seen]
            last = max(epoch for epoch, _ in rows)
        figures = entry.metrics.items()
        return new + [Metric(name, value, now, last) for name, value in figures if known.get(name) != value]

    def _send_files(self, entry: "Entry", held: "Held") -> None:
        if not entry.files:
            return
        digests = {path.name: files.digest_file(path)[:16] for path in entry.files}
        sent = json.loads(held.data.tags.get(FILES, "{}"))
        repository = self._repository(held.info.artifact_uri)
        there = {found.path for found in repository.list_artifacts()} if sent else set()
        for path in entry.files:
            if path.name not in there or sent.get(path.name) != digests[path.name]:
                repository.log_artifact(str(path))  # type: ignore[no-untyped-call]
        if digests != sent:
            self._client.set_tag(held.info.run_id, FILES, json.dumps(digests))

    def _repository(self, uri: str) -> "ArtifactRepository":
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository  # noqa: PLC0415

        if uri.startswith("mlflow-artifacts:/") and not self._where.uri.startswith("http"):
            return _local(uri, self._where.artifacts)
        return get_artifact_repository(uri, tracking_uri=self._where.uri)


def _make_store(file: Path) -> None:
    """Make the tables of MLflow in a new SQLite database."""
    from mlflow.store.db import utils  # noqa: PLC0415

    engine = utils.create_sqlalchemy_engine_with_retry(f"sqlite:///{file}")  # type: ignore[no-untyped-call]
    try:
        # As MLflow does where it finds no tables.
        utils._initialize_tables(engine)  # type: ignore[no-untyped-call]  # noqa: SLF001
    finally:
        engine.dispose()


def _milliseconds(when: str | None) -> int | None:
    """A time of run.json as MLflow counts it."""
    return None if when is None else int(datetime.fromisoformat(when).timestamp() * 1000)


def _local(uri: str, root: Path) -> "ArtifactRepository":
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository  # noqa: PLC0415

    inside = posixpath.normpath(uri.removeprefix("mlflow-artifacts:").lstrip("/"))
    return LocalArtifactRepository(str(root.absolute() / inside))


def artifact_repository(uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> Any:
    """MLflow's way to the files of `mlflow-artifacts:`; those of a SQLite store without a server lie beside it."""
    import mlflow  # noqa: PLC0415
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository  # noqa: PLC0415

    store = address.store(tracking_uri or mlflow.get_tracking_uri())
    if store is None:
        return MlflowArtifactsRepository(uri, tracking_uri, registry_uri)
    return _local(uri, store.parent / ARTIFACTS)
