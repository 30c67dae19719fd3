"""What a Kubeflow Pipelines server is to have: a version of the pipeline, and the run that recurs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from image_classifier.errors import UserError
from image_classifier.pipelines import graph
from image_classifier.pipelines.server import Server

_PAGE = 100  # what a filter by name finds is fewer


class Version(NamedTuple):
    """One version of the pipeline on the server, and whether it was uploaded now."""

    pipeline_id: str
    version_id: str
    new: bool


def update(server: Server, file: Path, name: str, about: str) -> Version:
    """The version of this name, uploaded if the server does not have it; the pipeline is made if need be."""
    uploads, pipeline = server.client.pipeline_uploads, _pipeline(server)
    there = _version(server, pipeline, name) if pipeline else ""
    if there:
        return Version(pipeline, there, new=False)
    text = f"{name}: {about}"  # the first version gets the pipeline's name, so only its text tells which one it is
    if pipeline:
        named = {"name": name, "pipelineid": pipeline, "description": text}
        made = server.asked(uploads.upload_pipeline_version, str(file), **named)
        return Version(pipeline, server.id_of(made, "pipeline_version_id"), new=True)
    named = {"name": graph.NAME, "description": text, **_owned(server)}
    pipeline = server.id_of(server.asked(uploads.upload_pipeline, str(file), **named), "pipeline_id")
    there = _version(server, pipeline, name)
    return Version(pipeline, server.id_of({"pipeline_version_id": there}, "pipeline_version_id"), new=True)


def link(server: Server, version: Version) -> str:
    """The page of a version."""
    return f"{server.host}/#/pipelines/details/{version.pipeline_id}/version/{version.version_id}"


def recur(server: Server, version: Version, name: str, cron: str, parameters: Mapping[str, str]) -> bool:
    """Have the version run at these times, in place of what recurs under the name; whether that was new.

    The older ones go last: what fails before leaves them as they are.
    """
    runs, experiment = server.client.recurring_runs, _experiment(server)
    wanted: dict[str, Any] = {
        "pipeline_version_reference": {"pipeline_id": version.pipeline_id, "pipeline_version_id": version.version_id},
        "runtime_config": {"parameters": dict(parameters)},
        "trigger": {"cron_schedule": {"cron": cron}},
    }
    list_all = runs.recurring_run_service_list_recurring_runs
    found = _named(server, list_all, name, experiment_id=experiment).get("recurringRuns") or []
    same = [each for each in found if each.get("status") != "DISABLED" and _has(each, wanted)]
    if not same:
        body = {"display_name": name, "experiment_id": experiment, "mode": "ENABLE", "no_catchup": True, **wanted}
        body["max_concurrency"] = "1"  # the API's own form of an integer of 64 bits
        server.asked(runs.recurring_run_service_create_recurring_run, recurring_run=body)
    for each in found:
        if each not in same[:1]:
            old = server.id_of(each, "recurring_run_id")
            server.asked(runs.recurring_run_service_delete_recurring_run, old)
    return not same


def _pipeline(server: Server) -> str:
    """The id of the pipeline, or nothing."""
    list_all = server.client.pipelines.pipeline_service_list_pipelines
    found = _named(server, list_all, graph.NAME).get("pipelines") or []
    if len(found) > 1:
        raise UserError(f"{server.host} has {len(found)} pipelines of the name {graph.NAME}", "delete all but one")
    return server.id_of(found[0], "pipeline_id") if found else ""


def _version(server: Server, pipeline: str, name: str) -> str:
    """The id of the version of this name, or of the pipeline's first one if its text begins so; or nothing."""
    answer = server.asked(
        server.client.pipelines.pipeline_service_list_pipeline_versions,
        pipeline,
        filter=_filter("IN", string_values={"values": [name, graph.NAME]}),
        page_size=_PAGE,
    )
    for found in answer.get("pipeline_versions") or []:
        if found.get("display_name") == name or str(found.get("description", "")).startswith(f"{name}:"):
            return server.id_of(found, "pipeline_version_id")
    return ""


def _experiment(server: Server) -> str:
    """The id of the experiment that has the pipeline's name, which is made if need be."""
    experiments = server.client.experiments
    found = _named(server, experiments.experiment_service_list_experiments, graph.NAME).get("experiments") or []
    if not found:
        body = {"display_name": graph.NAME, **_owned(server)}
        found = [server.asked(experiments.experiment_service_create_experiment, experiment=body)]
    return server.id_of(found[0], "experiment_id")


def _named(server: Server, list_all: Any, name: str, **more: str) -> dict[str, Any]:
    """The server's answer about what has a name."""
    wanted = _filter("EQUALS", string_value=name)
    return server.asked(list_all, filter=wanted, page_size=_PAGE, **_owned(server), **more)


def _owned(server: Server) -> dict[str, str]:
    """Whose it is, where a server has several users."""
    return {"namespace": server.namespace} if server.namespace else {}


def _filter(operation: str, **value: Any) -> str:
    """The API's filter of what has such a name."""
    return json.dumps({"predicates": [{"key": "display_name", "operation": operation, **value}]})


def _has(found: Any, wanted: Any) -> bool:
    """Whether an answer holds all that is wanted; the server adds more to it."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_has(found.get(name), value) for name, value in wanted.items())
    return bool(found == wanted)
