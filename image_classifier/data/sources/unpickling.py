"""Pickles of numpy arrays, and of nothing that could run code."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from image_classifier.errors import UserError

_MAX_BYTES = 1 << 28


def read_arrays(path: Path) -> Any:
    """What a pickle of plain values and numpy arrays holds, text keys throughout; else a `UserError` naming it."""
    try:
        size = path.stat().st_size
        if not path.is_file() or size > _MAX_BYTES:
            raise _broken(path, f"it has {size} bytes")
        with path.open("rb") as stream:
            # latin1 reads the strings that Python 2 wrote, which are bytes to numpy and names to us.
            content = _ArraysOnly(stream, encoding="latin1").load()
    except OSError as error:
        raise _broken(path, str(error.strerror)) from error
    except (UserError, KeyboardInterrupt):
        raise
    except Exception as error:  # (arbitrary bytes may raise anything)
        raise _broken(path, str(error) or type(error).__name__) from error
    if isinstance(content, dict):
        return {_text(key): _texts(value) for key, value in content.items()}
    return content


def _broken(path: Path, why: str) -> UserError:
    return UserError(f"{path} cannot be read as a pickle of arrays: {why}", "replace it by the published file")


def _text(value: Any) -> Any:
    return value.decode("latin1") if isinstance(value, bytes) else value


def _texts(value: Any) -> Any:
    return [_text(item) for item in value] if isinstance(value, list) else value


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        admitted = {
            ("multiarray", "_reconstruct"): _empty_array,
            ("numeric", "_frombuffer"): _array_from_buffer,
        }
        package, _, part = module.rpartition(".")
        # numpy 2 renamed numpy.core to numpy._core.
        if package in ("numpy.core", "numpy._core") and (part, name) in admitted:
            return admitted[part, name]
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if (module, name) == ("_codecs", "encode"):
            return _latin1_bytes
        if (module, name) == ("__builtin__", "bytes"):
            # How Python 3 writes an empty byte string for Python 2.
            return _no_bytes
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs")


def _empty_array(kind: type, shape: tuple[int, ...], code: bytes) -> np.ndarray[Any, Any]:
    if kind is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError("it holds something that is no array")
    return np.ndarray.__new__(np.ndarray, shape, "b" if code in (b"b", "b") else None)


def _array_from_buffer(buffer: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], order: Any) -> Any:
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


def _no_bytes() -> bytes:
    return b""


def _latin1_bytes(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it encodes text as {encoding}")
    return text.encode("latin1")
