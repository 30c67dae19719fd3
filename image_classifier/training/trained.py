"""A finished run put to work again: its model, and the runtime that it computes in."""

import dataclasses
import logging

import torch
from torch import nn

from image_classifier import cpus, files, lfs, runtime
from image_classifier.errors import UserError
from image_classifier.model import artifact, building, pretrained
from image_classifier.runs import RECORD, Run
from image_classifier.runtime import Runtime
from image_classifier.settings.families import family

logger = logging.getLogger(__name__)


def model_of(run: Run, device: torch.device | str = "cpu") -> nn.Module:
    """The trained model in evaluation mode."""
    path = run.path(run.model_file)
    if run.model_file == "model.skops":
        from image_classifier.model import classical  # noqa: PLC0415  (scikit-learn takes a second to import)

        _check(run, files.digest_bytes(lfs.read(path)))
        return classical.load(path, len(run.classes)).eval()
    found = artifact.load(path)
    _check(run, found.sha256)
    if found.card != run.card:  # the network is built by the record, and filled from the model
        raise UserError(f"{run.path(RECORD)} does not describe {path}", "restore both, or train again")
    height, width, channels = run.card["input"]["shape"]
    network = building.build(run.config, len(run.classes), (height, width, channels))
    pretrained.fill(network, found.tensors, str(path))
    return network.to(device).eval()


def _check(run: Run, found: str) -> None:
    if run.finished and found != run.record["files"][run.model_file]["sha256"]:
        raise UserError(
            f"{run.path(run.model_file)} is not the model that this run wrote", "restore it, or train again"
        )


def runtime_of(run: Run) -> Runtime:
    """The runtime that the run computed in, if this machine has it; else the nearest to it. It is active then."""
    before, config = run.card["runtime"], run.config
    bearable = before["num_threads"] <= cpus.most_threads()
    if not bearable:
        config = dataclasses.replace(config, num_threads="auto")
    possible = bearable and (before["device"] == "cpu" or runtime.has_gpu())
    found = Runtime(**before) if possible else runtime.of(config)
    versions = runtime.versions(*family(config.model).packages)
    alike = found.capability == runtime.capability(found.device) and run.card["versions"] == versions
    if not (possible and alike):
        logger.warning("this machine or its libraries are not those of %s: the last digits may differ", run.name)
    runtime.activate(found)
    return found


def runtime_to_predict(run: Run) -> Runtime:
    """The best runtime that this machine has for the run's model: at its precision, scikit-learn's on the CPU."""
    device = "auto" if family(run.config.model).stepwise else "cpu"
    return runtime.resolve(device, run.card["runtime"]["precision"], "auto")
