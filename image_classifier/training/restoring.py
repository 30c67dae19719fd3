"""The network of a run, from its files."""

import torch
from torch import nn

from image_classifier import files, lfs
from image_classifier.errors import UserError
from image_classifier.model import artifact, building, pretrained
from image_classifier.runs import RECORD, Run


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
