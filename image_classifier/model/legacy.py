"""The tensors in a file of `torch.save` as it was before torch 1.6: pickles, then the numbers of each storage.

The pickles are read as a list of instructions, few of which are known here. A name in them stands for itself: nothing
is looked up by it, nothing is called. So there is nothing that a file could execute (docs/decisions/0026).
"""

import io
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

START = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the first pickle: a number that says what this is
_PROTOCOL = 1001
_COUNT_BYTES = 8  # before each storage: how many numbers it has

_ORDERED = "collections OrderedDict"
_TENSORS = ("torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2")
_PARAMETERS = ("torch._utils _rebuild_parameter", "torch.nn.parameter Parameter")
_STORAGES = {
    f"{module} {name}Storage": dtype
    for module in ("torch", "torch.cuda")
    for name, dtype in (
        ("Float", torch.float32), ("Double", torch.float64), ("Half", torch.float16), ("BFloat16", torch.bfloat16),
        ("Long", torch.int64), ("Int", torch.int32), ("Byte", torch.uint8), ("Bool", torch.bool),
    )
}  # fmt: skip
_NAMES = {_ORDERED, *_TENSORS, *_PARAMETERS, *_STORAGES}


@dataclass(frozen=True)
class _Name:
    text: str


@dataclass(frozen=True)
class _Storage:
    """A part of the numbers that stand in the file under `key`."""

    key: str
    dtype: torch.dtype
    count: int  # numbers under that key
    offset: int  # of the part
    size: int


@dataclass(frozen=True)
class _View:
    """A tensor that is not filled yet."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read(data: bytes) -> dict[str, Tensor]:
    """The tensors by their names; whatever is not exactly such a file raises some exception that says why."""
    stream = io.BytesIO(data)
    if _Pickle(stream).value() != int.from_bytes(START[4:-1], "little") or _Pickle(stream).value() != _PROTOCOL:
        raise ValueError("it does not begin as one")
    if _Pickle(stream).value()["little_endian"] is not True:
        raise ValueError("its numbers have the byte order of another kind of machine")
    named = _Pickle(stream).value()
    keys = _Pickle(stream).value()
    if not isinstance(named, dict) or not all(isinstance(view, _View) for view in named.values()):
        raise ValueError("it holds something else than named tensors")
    known = {view.storage.key: view.storage for view in named.values()}
    if sorted(_of(str, key) for key in _of(list, keys)) != sorted(known):
        raise ValueError("its tensors do not belong to its numbers")
    numbers = {key: _numbers(stream, known[key]) for key in keys}
    if stream.read(1):
        raise ValueError("something follows the last tensor")
    return {name: _tensor(view, numbers) for name, view in named.items()}


def _numbers(stream: io.BytesIO, storage: _Storage) -> Tensor:
    """The next storage of the file; its size is checked before any memory is taken for it."""
    count = int.from_bytes(stream.read(_COUNT_BYTES), "little", signed=True)
    content = stream.read(count * storage.dtype.itemsize) if count == storage.count else b""
    if count != storage.count or len(content) != count * storage.dtype.itemsize:
        raise ValueError("it claims more or less data than it has")
    return torch.frombuffer(bytearray(content), dtype=storage.dtype) if count else torch.empty(0, dtype=storage.dtype)


def _tensor(view: _View, numbers: Mapping[str, Tensor]) -> Tensor:
    storage = numbers[view.storage.key]
    if storage.dtype != view.storage.dtype or len(storage) != view.storage.count:
        raise ValueError("two of its tensors see the same numbers in two ways")
    last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    if 0 not in view.shape and last >= view.storage.size:
        raise ValueError("a tensor reaches beyond its numbers")
    return storage.as_strided(view.shape, view.strides, view.storage.offset + view.offset)


class _Pickle:
    """One pickle, read from where the stream stands to its end."""

    def __init__(self, stream: io.BytesIO) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._instructions = pickletools.genops(stream)

    def value(self) -> Any:
        """What it stands for: plain values, dicts, lists and tuples, and the tensors that its names describe."""
        for instruction, argument, _ in self._instructions:
            if instruction.name in _VALUES:
                self._stack.append(_VALUES[instruction.name](argument))
            elif instruction.name in _METHODS:
                getattr(self, f"_{_METHODS[instruction.name]}")(argument)
            else:
                raise ValueError(f"it has the instruction {instruction.name}, which torch.save never gave")
        (value,) = self._stack
        return value

    def _nothing(self, _: object) -> None:
        pass

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    def _mark(self, _: object) -> None:
        self._marks.append(len(self._stack))

    def _name(self, text: str) -> None:
        if text not in _NAMES:
            raise ValueError(f"it names {text.replace(' ', '.')}, which is no part of a tensor")
        self._stack.append(_Name(text))

    def _since_mark(self) -> list[Any]:
        start = self._marks.pop()
        items, self._stack[start:] = self._stack[start:], []
        return items

    def _tuple(self, _: object) -> None:
        self._stack.append(tuple(self._since_mark()))

    def _tuple1(self, _: object) -> None:
        self._stack[-1:] = [tuple(self._stack[-1:])]

    def _tuple2(self, _: object) -> None:
        self._stack[-2:] = [tuple(self._stack[-2:])]

    def _tuple3(self, _: object) -> None:
        self._stack[-3:] = [tuple(self._stack[-3:])]

    def _append(self, _: object) -> None:
        item = self._stack.pop()
        _of(list, self._stack[-1]).append(item)

    def _extend(self, _: object) -> None:
        items = self._since_mark()
        _of(list, self._stack[-1]).extend(items)

    def _set(self, _: object) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        _of(dict, self._stack[-1])[_of(str, key)] = value

    def _update(self, _: object) -> None:
        items = self._since_mark()
        names = [_of(str, name) for name in items[::2]]
        _of(dict, self._stack[-1]).update(zip(names, items[1::2], strict=True))

    def _storage(self, _: object) -> None:
        word, name, key, _place, count, part = _of(tuple, self._stack.pop())
        offset, size = (0, count) if part is None else _of(tuple, part)[1:]
        if word != "storage" or not all(map(_is_count, (count, offset, size))) or offset + size > count:
            raise ValueError("it describes numbers that cannot be")
        self._stack.append(_Storage(_of(str, key), _STORAGES[_of(_Name, name).text], count, offset, size))

    def _make(self, _: object) -> None:
        arguments, name = _of(tuple, self._stack.pop()), _of(_Name, self._stack.pop()).text
        if name == _ORDERED:
            self._stack.append(_ordered(*arguments))
        elif name in _TENSORS:
            storage, offset, shape, strides = arguments[:4]
            if not all(map(_is_count, (offset, *shape, *strides))):
                raise ValueError("a tensor has a shape that cannot be")
            self._stack.append(_View(_of(_Storage, storage), offset, tuple(shape), tuple(strides)))
        elif name in _PARAMETERS:
            self._stack.append(_of(_View, arguments[0]))
        else:
            raise ValueError("it makes a tensor of something else")

    def _describe(self, _: object) -> None:
        """Leave the state out that dicts (versions of the layers) and parameters have besides their values."""
        self._stack.pop()
        if not isinstance(self._stack[-1], dict | _View):
            raise ValueError("it describes something else than a tensor")


def _ordered(pairs: Any = ()) -> dict[str, Any]:
    """The named values, which leave the list that they were in: copied again and again it would fill the memory."""
    named = {_of(str, name): value for name, value in pairs}
    if pairs:
        _of(list, pairs).clear()
    return named


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(f"it has a {type(value).__name__} in place of a {kind.__name__}")
    return value


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


# The instructions that `torch.save` gave. (Names are texts: a name of a million nested tuples would end the process
# where it is hashed.)
_VALUES: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINSTRING"), lambda value: value),
    "NONE": lambda _: None, "NEWTRUE": lambda _: True, "NEWFALSE": lambda _: False,
    "EMPTY_TUPLE": lambda _: (), "EMPTY_LIST": lambda _: [], "EMPTY_DICT": lambda _: {},
}  # fmt: skip
_METHODS = {
    "PROTO": "nothing", "STOP": "nothing", "MARK": "mark", "BINPUT": "put", "LONG_BINPUT": "put", "BINGET": "get",
    "LONG_BINGET": "get", "GLOBAL": "name", "TUPLE": "tuple", "TUPLE1": "tuple1", "TUPLE2": "tuple2",
    "TUPLE3": "tuple3", "APPEND": "append", "APPENDS": "extend", "SETITEM": "set", "SETITEMS": "update",
    "BINPERSID": "storage", "REDUCE": "make", "BUILD": "describe",
}  # fmt: skip
