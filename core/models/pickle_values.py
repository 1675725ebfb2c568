"""The plain values that a pickle of weights may hold, made without torch: tensors as descriptions, numbers, names."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST_OPCODES = 3_000_000  # a network of 10,000 tensors with the state of its optimiser needs about one million
MOST_DIMENSIONS = 8
_MOST_NUMPY_DIMENSIONS = 32
_MOST_IN_KEY = 32  # values and tuples of a key: some use (epoch, batch); the hash of each is worked out anew each time

_WIDTHS = {
    "Float": 4, "Double": 8, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1, "Byte": 1,
    "Bool": 1, "ComplexFloat": 8, "ComplexDouble": 16, "QInt8": 1, "QUInt8": 1, "QInt32": 4,
}  # fmt: skip
STORAGES = {f"torch.{name}Storage": width for name, width in _WIDTHS.items()} | {"torch.storage.UntypedStorage": 1}
DTYPES = {
    "float32": 4, "float": 4, "float64": 8, "double": 8, "float16": 2, "half": 2, "bfloat16": 2, "int64": 8, "long": 8,
    "int32": 4, "int": 4, "int16": 2, "short": 2, "int8": 1, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
    "bool": 1, "complex64": 8, "complex128": 16, "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1,
    "float8_e5m2fnuz": 1,
}  # fmt: skip
QUANTISED = ("torch.qint8", "torch.quint8", "torch.qint32", "torch.quint4x2", "torch.quint2x4")
SCHEMES = ("torch.per_tensor_affine", "torch.per_channel_affine", "torch.per_channel_affine_float_qparams")
_NUMPY_TEXT = re.compile(r"[US][1-9]\d{0,5}")  # characters, four bytes each, or bytes
NUMPY_NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")


class Damaged(Exception):
    """The bytes cannot be what they say they are."""


class WantsCode(Exception):
    """The pickle asks for a global that is not plain data; the text is its name."""


class OtherPickle(Exception):
    """A pickle of plain values that PyTorch did not write."""


class OtherProtocol(Exception):
    """The pickle has an instruction of a protocol that torch does not read; the text is its name."""


class QuantisedValues(Exception):
    """The pickle names a type of quantised numbers; the text is that name."""


class OddNumpy(Exception):
    """A NumPy value that is neither plain numbers nor text; the text is its type."""


@dataclass(frozen=True)
class Storage:
    """A run of numbers beside the pickle: its name, how many numbers, and bytes for each."""

    key: str
    count: int
    width: int


@dataclass(frozen=True)
class Described:
    """A tensor as the pickle describes it. ``bytes``: what it takes when laid out whole."""

    storage: Storage
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Unusable:
    """A tensor that is not plain numbers in a row: sparse, quantised, or without values."""


@dataclass(frozen=True)
class Global:
    """The name of a global, which is never looked up."""

    name: str


class Opaque:
    """A value that nothing here needs to look into."""


@dataclass(frozen=True)
class NumpyType:
    """The type of a NumPy number or text, for example "f8" or "U12"."""

    code: str

    @property
    def is_text(self) -> bool:
        return self.code[0] in "US"

    @property
    def width(self) -> int:
        """Bytes of one value."""
        return int(self.code[1:]) * (4 if self.code[0] == "U" else 1)


class NumpyArray(Opaque):
    """An array of numbers or names beside the weights, such as those of the classes: never looked into."""


def whole(value: Any) -> bool:
    """Whether ``value`` is a size that a file may name: an int from 0, small enough to be multiplied safely."""
    return type(value) is int and 0 <= value < 2**48


def pairs(items: list[Any]) -> dict[Any, Any]:
    """A dictionary of keys and values in turn."""
    return {_plain(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _plain(key: Any) -> Any:
    """``key``, if its hash is quickly worked out: that of tuples nested in one another may take for ever."""
    items, left = [key], _MOST_IN_KEY
    while items:
        item = items.pop()
        if isinstance(item, tuple) and len(item) < left:
            left -= len(item)
            items.extend(item)
        elif not isinstance(item, (str, int, float, bytes, type(None))):
            raise Damaged("a dictionary whose keys are no names")
    return key


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *rest: Any, width: int | None = None) -> Described:
    if not (isinstance(storage, Storage) and isinstance(shape, tuple) and isinstance(stride, tuple)):
        raise Damaged("a tensor without a storage")
    if len(shape) != len(stride) or len(shape) > MOST_DIMENSIONS or not all(map(whole, (offset, *shape, *stride))):
        raise Damaged("a tensor with an impossible shape")
    return checked(storage, offset, shape, stride, width or storage.width)


def checked(storage: Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], width: int) -> Described:
    """The tensor, if it lies within its storage.

    Args:
        storage: where it lies. offset, shape, stride: in numbers. width: bytes of a number.

    Raises:
        Damaged: it reaches beyond its storage.
    """
    count = 1
    for size in shape:
        count *= size
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if count and (last + 1) * width > storage.count * storage.width:
        raise Damaged("a tensor reaches beyond its storage")
    return Described(storage, shape, count * width)


def _tensor_with_type(storage: Any, offset: Any, shape: Any, stride: Any, grad: Any, hooks: Any, dtype: Any,
                      *rest: Any) -> Described:  # fmt: skip
    if not isinstance(dtype, Global):
        raise Damaged("a tensor without a type")
    return _tensor(storage, offset, shape, stride, width=DTYPES[dtype.name.removeprefix("torch.")])


def _quantised(storage: Any, offset: Any, shape: Any, stride: Any, *rest: Any) -> Unusable:
    described = _tensor(storage, offset, shape, stride)
    if described.bytes > storage.count * storage.width:  # torch makes room for all of it before it looks
        raise Damaged("a tensor is larger than its storage")
    return Unusable()


def _parameter(data: Any, *rest: Any) -> Any:
    if not isinstance(data, (Described, Unusable)):
        raise Damaged("a parameter without a tensor")
    return data


def _numpy_type(code: Any, *rest: Any) -> NumpyType:
    if not isinstance(code, str):
        raise Damaged("a NumPy value without a type")
    if code not in NUMPY_NUMBERS and not _NUMPY_TEXT.fullmatch(code):  # any objects, for example
        raise OddNumpy({"O8": "object", "O4": "object"}.get(code, code[:8]))
    return NumpyType(code)


def _numpy_value(kind: Any, data: Any) -> int | float | bool | str | Opaque:
    if not (isinstance(kind, NumpyType) and isinstance(data, bytes) and len(data) == kind.width):
        raise Damaged("a NumPy value that is no number")
    letter, width = kind.code[0], len(data)
    if kind.is_text:
        return data.decode("utf-32-le", "replace") if letter == "U" else Opaque()
    if letter in "iu":
        return int.from_bytes(data, "little", signed=letter == "i")
    return struct.unpack({"b": "<?", "f": {2: "<e", 4: "<f", 8: "<d"}.get(width, "<d")}[letter], data)[0]


def _numpy_array(kind: Any, shape: Any, code: Any) -> NumpyArray:
    """Empty, as NumPy begins to rebuild each: what it holds comes with its state."""
    if kind != Global("numpy.ndarray") or shape != (0,) or code != b"b":
        raise Damaged("a NumPy array that does not begin as an empty one")
    return NumpyArray()


def _check_array(state: Any) -> None:
    """The state of an array: version, shape, type, order, and as many bytes as these need."""
    if not (isinstance(state, tuple) and len(state) == 5 and isinstance(state[1], tuple)):
        raise Damaged("a NumPy array without a state")
    version, shape, kind, _, data = state
    if version != 1 or len(shape) > _MOST_NUMPY_DIMENSIONS or not all(map(whole, shape)):
        raise Damaged("a NumPy array with an impossible shape")
    if not (isinstance(kind, NumpyType) and isinstance(data, bytes)):
        raise Damaged("a NumPy array that is not of numbers")
    if math.prod(shape) * kind.width != len(data):
        raise Damaged("a NumPy array with another length than its numbers need")


def check_state(value: Any, state: Any) -> None:
    """BUILD sets attributes: harmless on containers; NumPy's types and arrays must have that of numbers or text."""
    if isinstance(value, NumpyArray):
        _check_array(state)
    elif isinstance(value, NumpyType):
        if isinstance(state, tuple) and state[1:5] == (">", None, None, None):
            raise OddNumpy(f">{value.code}")
        if not (isinstance(state, tuple) and state[1:5] in (("<", None, None, None), ("|", None, None, None))):
            raise Damaged("a NumPy value that is no number")
        # of text, NumPy takes the width of a value from here
        if value.is_text and (state[0], *state[5:7]) != (3, value.width, 4 if value.code[0] == "U" else 1):
            raise Damaged("a NumPy text of another width than its type")
    elif not isinstance(value, (dict, Opaque)) or not isinstance(state, dict):
        raise Damaged("it sets the state of what has none")


def _encoded(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise Damaged("bytes in an unknown encoding")
    return text.encode("latin1")


def _ordered(pairs: Any = ()) -> dict[Any, Any]:
    if not isinstance(pairs, (list, tuple)) or not all(isinstance(pair, (list, tuple)) for pair in pairs):
        raise Damaged("a dictionary made from what is no list of pairs")
    return {_plain(key): value for key, value in pairs}


def _counter(counts: Any = None) -> dict[Any, Any]:
    """Only from a dictionary, whose keys have been looked at: anything else would be counted."""
    if counts is None:
        return {}
    if type(counts) is not dict or not all(isinstance(count, (int, float)) for count in counts.values()):
        raise Damaged("a counter made from what is no dictionary of numbers")
    return dict(counts)


def _bytes(content: Any = b"") -> Opaque:
    """Changeable bytes, from bytes alone: from a number, room for that many would be made."""
    if not isinstance(content, bytes):
        raise Damaged("bytes made from what is none")
    return Opaque()


def _set(items: Any = ()) -> Opaque:
    if not isinstance(items, (list, tuple)):
        raise Damaged("a set made from what is no list")
    for item in items:
        _plain(item)
    return Opaque()


def _size(items: Any = ()) -> tuple[int, ...]:
    if not isinstance(items, (list, tuple)) or not all(map(whole, items)):
        raise Damaged("a size that is none")
    return tuple(items)


def _nothing(*arguments: Any) -> Opaque:
    return Opaque()


def _unusable(*arguments: Any) -> Unusable:
    return Unusable()


def is_plain(name: str) -> bool:
    """Whether a global is one of plain tensors and containers."""
    return (
        name in CALLS or name in STORAGES or name in SCHEMES or name in _TYPES or name.removeprefix("torch.") in DTYPES
    )


_TYPES = ("numpy.ndarray",)  # named as what another makes; never called
_REBUILD = "torch._utils._rebuild_"
CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered,
    "collections.Counter": _counter,
    f"{_REBUILD}tensor": _tensor,
    f"{_REBUILD}tensor_v2": _tensor,
    f"{_REBUILD}tensor_v3": _tensor_with_type,
    f"{_REBUILD}parameter": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    f"{_REBUILD}sparse_tensor": _unusable,
    f"{_REBUILD}qtensor": _quantised,
    f"{_REBUILD}meta_tensor_no_storage": _unusable,
    "torch.serialization._get_layout": _nothing,
    "torch.Size": _size,
    "torch.device": _nothing,
    "builtins.set": _set,
    "builtins.bytearray": _bytes,
    "builtins.complex": _nothing,
    "_codecs.encode": _encoded,
    "numpy.dtype": _numpy_type,
    "numpy.core.multiarray.scalar": _numpy_value,
    "numpy._core.multiarray.scalar": _numpy_value,
    "numpy.core.multiarray._reconstruct": _numpy_array,
    "numpy._core.multiarray._reconstruct": _numpy_array,
    "argparse.Namespace": _nothing,
}
