"""Start from another run's model, from a plain state_dict, or from published weights."""

import logging
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from image_classifier.errors import UserError
from image_classifier.model.artifact import Artifact
from image_classifier.model.building import head

logger = logging.getLogger(__name__)

_SHOWN = 4
_COUNT = ".num_batches_tracked"


def start_from(model: nn.Module, parent: Artifact, classes: Sequence[str], origin: str) -> None:
    """Load the parent's weights; a head for other classes is left as it was initialised, and that is said."""
    tensors = _named_as_in(model, parent.tensors)
    last = head(model)
    known = (parent.card or {}).get("classes")
    own = {name: value for name, value in model.state_dict().items() if name.startswith(f"{last}.")}
    tensors |= _head(own, {name: tensors.get(name) for name in own}, known, classes, origin)
    fill(model, tensors, origin, _as_trained(parent))


def _as_trained(parent: Artifact) -> str:
    settings = (parent.card or {}).get("settings", {})
    given = [f"--{name} {settings[name]}" for name in ("model", "width", "image_size") if settings.get(name)]
    if not given:
        return "give the --model and --width it was trained with"
    shape = (parent.card or {}).get("input", {}).get("shape", [])
    seen = f" on images of {shape[0]}×{shape[1]} pixels, channels: {shape[2]}" if len(shape) == 3 else ""
    return f"it was trained with {' '.join(given)}{seen}"


def fill(model: nn.Module, tensors: Mapping[str, Tensor], origin: str, hint: str = "") -> None:
    """Load tensors that must be exactly this network's."""
    problems = _misfits(model, tensors)
    if problems:
        raise UserError(f"{origin} does not fit this network: {_list(problems)}", hint)
    model.load_state_dict(tensors)


def _named_as_in(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under this model's names: without DataParallel's prefix, with the wrapper's around other packages'.

    Files from before torch 0.4.1 lack the batches that a normalisation has seen, which decide nothing here.
    """
    plain = {name.removeprefix("module."): value for name, value in tensors.items()}
    wrapped = {f"body.{name}": value for name, value in plain.items()}
    own = model.state_dict()
    named = wrapped if len(own.keys() & wrapped.keys()) > len(own.keys() & plain.keys()) else plain
    convert: Callable[[dict[str, Tensor]], dict[str, Tensor]] = getattr(model, "converted", lambda given: given)
    return {name: value for name, value in own.items() if name.endswith(_COUNT)} | convert(named)


def _head(
    own: Mapping[str, Tensor],
    given: Mapping[str, Tensor | None],
    known: Sequence[str] | None,
    classes: Sequence[str],
    origin: str,
) -> dict[str, Tensor]:
    fits = all(value is not None and value.shape == own[name].shape for name, value in given.items())
    if fits and known is None:
        logger.warning("%s names no classes: its %d outputs are taken in this data's order", origin, len(classes))
        return {name: value for name, value in given.items() if value is not None}
    if fits and known is not None and sorted(known) == sorted(classes):
        rows = torch.tensor([known.index(name) for name in classes])
        return {name: value[rows] for name, value in given.items() if value is not None}
    logger.warning("the last layer of %s is replaced: %s", origin, _difference(known, classes))
    return dict(own)


def _difference(known: Sequence[str] | None, classes: Sequence[str]) -> str:
    if known is None:
        return f"it does not have the {len(classes)} classes of this data"
    gone = [name for name in known if name not in classes]
    new = [name for name in classes if name not in known]
    parts = [f"{what} {_list(names)}" for what, names in (("without", gone), ("new:", new)) if names]
    return f"it knows {len(known)} classes, this data has {len(classes)} ({'; '.join(parts) or 'other shapes'})"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _misfits(model: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    own = model.state_dict()
    problems = [f"{name} is missing" for name in own if name not in tensors]
    problems += [f"{name} is unknown" for name in tensors if name not in own]
    for name, value in own.items():
        given = tensors.get(name)
        if given is not None and given.shape != value.shape:
            problems.append(f"{name} has the shape {tuple(given.shape)} and not {tuple(value.shape)}")
        elif given is not None and given.is_floating_point() != value.is_floating_point():
            problems.append(f"{name} has the type {given.dtype} and not {value.dtype}")
    return problems
