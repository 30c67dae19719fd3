"""The pipeline's graph in KFP, of container components that run our image's commands (docs/decisions/0018-kubeflow.md).

Its form is what both a real backend and KFP's local runner do. The loop and the steps before it are a pipeline of their
own, because the backend runs a step "whatever happened" as an exit hook, and sets no hook on a loop. The step that may
be left out is one too, because the backend lets nothing follow a condition that was false.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from image_classifier.errors import UserError
from image_classifier.pipelines.interface import COMMON, STATE, STEPS
from image_classifier.pipelines.preparation import READY

NAME = "frequent-error-sets"
ABOUT = "Extracts data, trains a classifier for each data scope, and mines its most frequent error sets."
IMAGE = "image-classifier"  # as docker/build.sh names it
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
MAY_BE_GIVEN = ("AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "MLFLOW_TRACKING_URI")
FOR_EXTRACT = ("DB_PASS",)  # no other step gets it
DEFAULTS = {
    "domain": "kubeflow",
    "use_case": "wine_quality",
    "run_type": "individual",
    "data_scopes": '["red", "white"]',
    "debug": "no",
}


def kfp() -> Any:
    """The kfp package with what is used of it, or an error that says how to get it."""
    try:
        # An extra: neither the image nor a training needs it.
        import kfp.compiler  # noqa: PLC0415
        import kfp.components  # noqa: PLC0415
        import kfp.dsl  # noqa: PLC0415
        import kfp.local  # noqa: PLC0415
    except ImportError as error:
        raise UserError("kfp is not installed", "pip install 'image_classifier[kubeflow]'") from error
    return kfp


def component(name: str, image: str) -> Any:
    """A step as a component: a container that is given texts, and hands texts on through files.

    It is read as KFP's own form of a component: the form for functions has no output of the name `Output`.
    """
    step, words = STEPS[name], name.replace("_", "-")
    inputs = {flag: {"parameterType": "STRING"} for flag in (*COMMON, *step.inputs)}
    interface: dict[str, Any] = {"inputDefinitions": {"parameters": inputs}}
    if step.outputs:
        outputs = {flag: {"parameterType": kind} for flag, kind in step.outputs.items()}
        interface["outputDefinitions"] = {"parameters": outputs}
    arguments = [f"--{flag}={{{{$.inputs.parameters['{flag}']}}}}" for flag in inputs]
    arguments += [f"--{flag}_file={{{{$.outputs.parameters['{flag}'].output_file}}}}" for flag in step.outputs]
    command = ["python", "-m", "image_classifier.pipelines.step", name]
    container = {"image": image, "command": command, "args": arguments}
    text = {
        "components": {f"comp-{words}": {"executorLabel": f"exec-{words}", **interface}},
        "deploymentSpec": {"executors": {f"exec-{words}": {"container": container}}},
        "pipelineInfo": {"name": words},
        "root": {"dag": {"tasks": {words: {"componentRef": {"name": f"comp-{words}"}, "taskInfo": {"name": words}}}}},
        "schemaVersion": "2.1.0",
    }
    return kfp().components.load_component_from_text(json.dumps(text))


def pipeline(image: str, extraction_image: str, *, secret: str, defaults: Mapping[str, str]) -> Any:
    """The pipeline, whose steps run in `image` with the keys of a Kubernetes secret, if one is named, as variables."""
    dsl = kfp().dsl
    make = {name: component(name, extraction_image if name == "extract" else image) for name in STEPS}

    def task(name: str, given: Mapping[str, Any]) -> Any:
        # The backend puts the id in where it is the whole of an argument, nowhere else.
        made = make[name](kf_run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER, **given)
        # What KFP's cache would hand on lies among the files of another run, or is deleted.
        made.set_caching_options(False)
        if secret:
            made.platform_config["kubernetes"] = {"secretAsEnv": _variables(name, secret)}
        return made

    extraction = dsl.pipeline(_extraction(dsl, task), name="extraction")
    scopes = dsl.pipeline(_scopes(dsl, task, extraction), name="scopes")

    def whole(  # noqa: PLR0917  (KFP calls it so)
        root: str = defaults["root"],
        domain: str = defaults["domain"],
        use_case: str = defaults["use_case"],
        run_type: str = defaults["run_type"],
        data_scopes: str = defaults["data_scopes"],
        debug: str = defaults["debug"],
    ) -> None:
        common = {"root": root, "domain": domain, "use_case": use_case, "run_type": run_type}
        every = scopes(**common, data_scopes=data_scopes)
        last = task("gather", {**common, "data_scopes": data_scopes, "debug": debug})
        last.after(every).ignore_upstream_failure()

    return dsl.pipeline(whole, name=NAME, description=ABOUT)


def _variables(step: str, secret: str) -> list[dict[str, Any]]:
    """A step's variables from a secret's keys, as kfp-kubernetes' `use_secret_as_env` writes them."""
    optional = (*MAY_BE_GIVEN, *(FOR_EXTRACT if step == "extract" else ()))
    name = {"runtimeValue": {"constant": secret}}
    return [
        {
            "secretNameParameter": name,
            "keyToEnv": [{"secretKey": key, "envVar": key} for key in keys],
            "optional": keys is optional,
        }
        for keys in (CREDENTIALS, optional)
    ]


def _extraction(dsl: Any, task: Callable[..., Any]) -> Callable[..., None]:
    def extraction(  # noqa: PLR0917  (KFP calls it so)
        root: str, domain: str, use_case: str, run_type: str, data_scopes: str, extract: str
    ) -> None:
        common = {"root": root, "domain": domain, "use_case": use_case, "run_type": run_type}
        with dsl.If(extract == "yes"):
            task("extract", {**common, "data_scopes": data_scopes})

    return extraction


def _scopes(dsl: Any, task: Callable[..., Any], extraction: Callable[..., Any]) -> Callable[..., None]:
    def scopes(root: str, domain: str, use_case: str, run_type: str, data_scopes: str) -> None:
        common = {"root": root, "domain": domain, "use_case": use_case, "run_type": run_type}
        begin = task("setup_extraction", {**common, "data_scopes": data_scopes})
        extracted = extraction(**common, data_scopes=data_scopes, extract=begin.outputs["extract"])
        # Without a limit on how many run at once: the cluster knows what it can bear.
        with dsl.ParallelFor(begin.outputs[STATE]) as scope:
            own = {**common, "scope": scope}
            first = task("setup", own).after(extracted)
            with dsl.If(first.outputs[STATE] == READY):
                table = task("preprocessing", {**own, "data": first.outputs["data"]})
                made = task("feature_engineering", {**own, "data": table.outputs["data"]})
                store = {**own, "store": made.outputs["store"]}
                run = {**store, "run": task("train", store).outputs["run"]}
                measured = task("evaluate", run)
                task("set_mining", run).after(measured)

    return scopes
