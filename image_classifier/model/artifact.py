"""Tensors and a card in one file: the same content is the same bytes, and reading one executes nothing."""

import io
import json
import sys
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from image_classifier import files, lfs
from image_classifier.errors import UserError
from image_classifier.model import legacy
from image_classifier.settings.inputs import fitting_in

_HEADER_BYTES = 8  # before the header of safetensors, which is JSON: its length
_DTYPES = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
)


@dataclass(frozen=True)
class Artifact:
    """What a file held: tensors by name, the card if it is one of ours, and the file's sha256."""

    tensors: dict[str, Tensor]
    card: dict[str, Any] | None
    sha256: str
    revision: str | None = None  # the commit of a repository that it was fetched from


def dumps(tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> bytes:
    """The file's bytes: a function of names, values and card alone, whatever the tensors' strides and sharing."""
    state = {sys.intern(name): _plain(tensors[name]) for name in sorted(tensors)}
    stream = io.BytesIO()  # a path would put its own name into the archive
    torch.save({"state": state, "card": files.canonical_json(card)}, stream)
    return stream.getvalue()


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def load(path: Path) -> Artifact:
    """The content of a `model.pth`, a checkpoint or a plain state_dict, checked before and after it is read."""
    if path.suffix == ".skops":
        raise UserError(f"{path} is a model of scikit-learn, from which no training can begin", _HINT)
    data = lfs.read(path, _HINT)
    tensors, card = _content(_read(data, path), path)
    for name, tensor in tensors.items():
        _check_tensor(name, tensor, path)
    return Artifact(tensors, card, files.digest_bytes(data))


_HINT = "give a model.pth of a run, or a state_dict written by torch.save(model.state_dict(), path)"


def _read(data: bytes, path: Path) -> Any:
    """What the file holds: an archive of `torch.save`, what that wrote before torch 1.6, or safetensors."""
    if data.startswith(legacy.START):
        read = legacy.read
    elif data[_HEADER_BYTES : _HEADER_BYTES + 1] == b"{":
        read = safetensors.torch.load
    else:
        _check_archive(data, path)
        read = _unpacked
    try:
        return read(data)
    except Exception as error:  # damage shows as any of many exception types
        raise UserError(f"{path} holds more than tensors, or is damaged: {_first_line(error)}", _HINT) from error


def _unpacked(data: bytes) -> Any:
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _check_archive(data: bytes, path: Path) -> None:
    """Refuse what torch would load in silence: bad checksums, duplicate entries, a compressed bomb."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise UserError(f"{path} is compressed, as torch.save never does", _HINT)
            if max(Counter(entry.filename for entry in entries).values(), default=0) > 1:
                raise UserError(f"{path} has two entries of one name", _HINT)
            if sum(entry.file_size for entry in entries) > len(data):
                raise UserError(f"{path} claims more data than it has", _HINT)
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, OSError) as error:
        raise UserError(f"{path} is not a file of torch.save, or it is damaged: {error}", _HINT) from error
    if damaged is not None:
        raise UserError(f"{path} is damaged: the checksum of {damaged} differs", "fetch it again, or train again")


def _content(content: Any, path: Path) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    card = None
    if isinstance(content, dict) and set(content) == {"state", "card"}:
        card, content = _card(content["card"], path), content["state"]
    if not isinstance(content, dict) or not content or not all(_is_named_tensor(*item) for item in content.items()):
        raise UserError(f"{path} is not a state_dict", _HINT)
    return dict(content), card


def _is_named_tensor(name: Any, value: Any) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor)


def _card(text: Any, path: Path) -> dict[str, Any]:
    try:
        card = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"the card of {path} is not JSON", _HINT) from error
    if not isinstance(card, dict):
        raise UserError(f"the card of {path} is not a JSON object", _HINT)
    classes, settings = card.get("classes", []), card.get("settings", {})
    named = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    if not named or not isinstance(settings, dict) or not _is_input(card.get("input", {})):
        raise UserError(f"the card of {path} is not one of a run", _HINT)
    return card


def _is_input(described: Any) -> bool:
    """Whether it describes images or a table's rows as a run does."""
    if not isinstance(described, dict):
        return False
    shape, columns = described.get("shape", []), described.get("columns") or []
    if not isinstance(shape, list) or not isinstance(columns, list) or not all(map(_is_column, columns)):
        return False
    return "crop" not in described or _is_published(described, shape)


def _is_published(described: dict[str, Any], shape: list[Any]) -> bool:
    """Whether it tells fully what published weights were trained on."""
    try:
        fitting_in(described)
    except (KeyError, TypeError, ValueError):
        return False
    parts = [shape, described.get("mean"), described.get("std")]
    numbers = all(isinstance(part, list) and all(type(each) in (int, float) for each in part) for part in parts)
    return numbers and len(shape) == 3 and bool(described["mean"]) and bool(described["std"])


def _is_column(described: Any) -> bool:
    if not isinstance(described, dict) or not isinstance(described.get("name"), str):
        return False
    categories = described.get("categories", 0)
    return categories is None or (isinstance(categories, list) and all(isinstance(each, str) for each in categories))


def _check_tensor(name: str, tensor: Tensor, path: Path) -> None:
    if tensor.is_meta:
        raise UserError(f"{name} in {path} has a shape and no values", _HINT)
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.dtype not in _DTYPES:
        raise UserError(f"{name} in {path} has the type {tensor.dtype}, which no network here uses", _HINT)
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise UserError(f"{name} in {path} claims more elements than it stores", _HINT)
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        raise UserError(f"{name} in {path} has NaN or infinite values", "train it again, with a lower learning rate")
    if name.endswith("running_var") and bool((tensor < 0).any()):  # its root is taken, and would be NaN
        raise UserError(f"{name} in {path} has negative variances", "restore the file, or train without it")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__} {str(error).strip().splitlines()[0][:160] if str(error).strip() else ''}".strip()
