"""`python -m image_classifier.pipelines.kubeflow --type …`: the pipeline compiled, run on this machine, or uploaded."""

import argparse
import contextlib
import io
import os
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from image_classifier import files
from image_classifier.arguments import Parser
from image_classifier.errors import UserError, one_line
from image_classifier.pipelines import graph, program, updating
from image_classifier.pipelines.parameters import RUN_TYPES, SWITCH, scopes_of
from image_classifier.pipelines.storage import DOMAINS, OUTPUTS, Storage
from image_classifier.pipelines.use_case import read

PACKAGE = "pipeline.yaml"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal, in KFP's messages
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # of a zip file
_PASSED_ON = (*graph.CREDENTIALS, *graph.MAY_BE_GIVEN, *graph.FOR_EXTRACT)
_PARAMETERS = ("root", *graph.DEFAULTS)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the program."""
    return program.ended(lambda: _run(_parser().parse_args(list(sys.argv[1:] if argv is None else argv))))


def _parser() -> Parser:
    """The program's words."""
    parser = Parser(prog="python -m image_classifier.pipelines.kubeflow", allow_abbrev=False, description=__doc__)
    add = parser.add_argument
    text = "compile: write pipeline.yaml and its zip; run: run it here, each step in a container of the image; "
    add("--type", required=True, choices=tuple(_TYPES), help=text + "update: upload it as a new version")
    add("--image", default=graph.IMAGE, metavar="NAME", help="what the steps run in (default: %(default)s)")
    add("--extraction_image", metavar="NAME", help="what `extract` runs in, one that has Spark (default: --image)")
    text = (
        "a Kubernetes secret whose keys the steps get as variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and others"
    )
    add("--secret", default="", metavar="NAME", help=text)
    text = "where pipeline.yaml and its zip are written (default: the current folder)"
    add("--output", type=Path, default=Path(), metavar="FOLDER", help=text)
    run = parser.add_argument_group("the pipeline's parameters", "the form's defaults when compiled, else this run's")
    text = "a folder or s3://bucket/prefix (default: %(default)s)"
    run.add_argument("--root", default="s3://image-classifier", help=text)
    defaults = graph.DEFAULTS
    for name, choices in (("domain", DOMAINS), ("run_type", RUN_TYPES)):
        run.add_argument(f"--{name}", choices=choices, default=defaults[name], help="default: %(default)s")
    run.add_argument("--use_case", default=defaults["use_case"], metavar="NAME", help="default: %(default)s")
    text = "a JSON list of names (default: %(default)s)"
    run.add_argument("--data_scopes", default=defaults["data_scopes"], metavar="JSON", help=text)
    text = "yes: keep the temporary area (default: %(default)s)"
    run.add_argument("--debug", choices=SWITCH, default=defaults["debug"], help=text)
    updating.add_arguments(parser)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    updating.check(arguments)
    return _TYPES[arguments.type](arguments)


def compiled(arguments: argparse.Namespace) -> int:
    """Write the pipeline as KFP takes it, and its zip: the same bytes for the same commit and arguments."""
    text = package(arguments)
    files.write_text(arguments.output / PACKAGE, text)
    files.write_bytes(arguments.output / "pipeline.zip", zipped(text))
    sys.stderr.write(f"{arguments.output / PACKAGE} and pipeline.zip, for {arguments.image}\n")
    return 0


def package(arguments: argparse.Namespace) -> str:
    """The text of `pipeline.yaml`, which KFP reads again without an error."""
    kfp = graph.kfp()
    made = _pipeline(arguments)
    with files.scratch_folder() as folder:
        kfp.compiler.Compiler().compile(made, str(folder / PACKAGE))
        kfp.components.load_component_from_file(str(folder / PACKAGE))
        return (folder / PACKAGE).read_text(encoding="utf-8")


def zipped(text: str) -> bytes:
    """A zip with `pipeline.yaml` in it, without a time and without a user."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        about = zipfile.ZipInfo(PACKAGE, date_time=_EARLIEST)
        about.compress_type = zipfile.ZIP_DEFLATED
        about.external_attr = 0o644 << 16
        archive.writestr(about, text)
    return content.getvalue()


def run(arguments: argparse.Namespace) -> int:
    """Run the pipeline here by KFP's docker runner; 2 where a step failed."""
    kfp = graph.kfp()
    given = _parameters(arguments)
    scopes_of(given["data_scopes"])
    read(given["use_case"])
    storage = Storage(given["root"], given["domain"])
    given["root"] = storage.root
    made = _pipeline(arguments)
    for image in {arguments.image, arguments.extraction_image or arguments.image}:
        _refuse_without(image)
    with files.scratch_folder() as folder:
        runner = kfp.local.DockerRunner(**_container(given["root"]))
        kfp.local.init(runner=runner, pipeline_root=str(folder), raise_on_error=True)
        try:
            made(**given)
        except RuntimeError as error:
            place = storage.path(OUTPUTS, given["use_case"], given["run_type"])
            raise UserError(
                _COLOUR.sub("", one_line(error)), f"error_logs.csv in {place}/<kf_run_id> says why"
            ) from error
    return 0


def _container(root: str) -> dict[str, Any]:
    """How a container is run: as the caller, with the folder of the areas and the secrets of the environment."""
    from docker.types import Mount  # noqa: PLC0415  (an extra: neither the image nor a training needs it)

    how: dict[str, Any] = {"user": f"{os.getuid()}:{os.getgid()}", "shm_size": "1g"}
    how["environment"] = {name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)}
    how["network_mode"] = "host"  # what answers on this machine, such as MinIO, answers the steps too
    if "://" not in root:
        files.make_folder(Path(root))
        how["mounts"] = [Mount(target=root, source=root, type="bind")]
    return how


def _refuse_without(image: str) -> None:
    """Refuse an image that is not here, before a step runs: KFP would look for it in a registry."""
    from docker.client import DockerClient  # noqa: PLC0415  (an extra: neither the image nor a training needs it)
    from docker.errors import DockerException, ImageNotFound  # noqa: PLC0415

    try:
        with contextlib.closing(DockerClient.from_env()) as client:
            client.images.get(image)
    except ImageNotFound as error:
        raise UserError(
            f"there is no image {image} here", "docker/build.sh makes it, docker pull fetches it"
        ) from error
    except DockerException as error:
        raise UserError(f"docker: {one_line(error, 300)}", "is a Docker daemon running, and may you use it?") from error


def _pipeline(arguments: argparse.Namespace) -> Any:
    images = (arguments.image, arguments.extraction_image or arguments.image)
    return graph.pipeline(*images, secret=arguments.secret, defaults=_parameters(arguments))


def _parameters(arguments: argparse.Namespace) -> dict[str, str]:
    return {name: getattr(arguments, name) for name in _PARAMETERS}


def update(arguments: argparse.Namespace) -> int:
    """Upload the pipeline to a server of Kubeflow Pipelines."""

    def made() -> dict[str, bytes]:
        text = package(arguments)
        return {PACKAGE: text.encode(), "pipeline.zip": zipped(text)}

    return updating.update(arguments, _parameters(arguments), made)


_TYPES = {"compile": compiled, "run": run, "update": update}


if __name__ == "__main__":
    sys.exit(main())
