"""Tensors of an ONNX file, to torch and back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.models.onnx import refusals
from core.models.pickle_values import MOST_DIMENSIONS, Damaged
from core.models.refusals import odd_tensor

# onnx.TensorProto.DataType: the type, as it lies in the file, and the field where numbers lie that are not raw bytes
_TYPES: dict[int, tuple[torch.dtype, str, str]] = {
    1: (torch.float32, "<f4", "float_data"), 2: (torch.uint8, "<u1", "int32_data"),
    3: (torch.int8, "<i1", "int32_data"), 6: (torch.int32, "<i4", "int32_data"), 7: (torch.int64, "<i8", "int64_data"),
    9: (torch.bool, "<u1", "int32_data"), 10: (torch.float16, "<u2", "int32_data"),
    11: (torch.float64, "<f8", "double_data"), 16: (torch.bfloat16, "<u2", "int32_data"),
}  # fmt: skip
_EXTERNAL = 1
_HALVES = (torch.float16, torch.bfloat16)


def read_tensor(path: Path, proto: Any, name: str) -> Tensor:
    """The numbers of a ``TensorProto``, in the type of the file; exactly as many as its shape has.

    Raises:
        BadInput: ``onnx_external``, ``weights_odd_tensor`` (texts, complex or packed numbers).
        Damaged: shape and numbers do not go together.
    """
    if proto.data_location == _EXTERNAL or len(proto.external_data):
        where = next((entry.value for entry in proto.external_data if entry.key == "location"), "")
        raise refusals.external(path, name, where)
    if proto.data_type not in _TYPES or proto.HasField("segment") or len(proto.string_data):
        raise odd_tensor(path, name)
    dtype, width, field = _TYPES[proto.data_type]
    shape = tuple(proto.dims)
    if len(shape) > MOST_DIMENSIONS or any(side < 0 for side in shape):
        raise Damaged("a tensor with an impossible shape")
    numbers = _numbers(proto, width, field)
    if len(numbers) != math.prod(shape):
        raise Damaged("a tensor with more or fewer numbers than its shape")
    if dtype in _HALVES:
        return torch.from_numpy(numbers.view(np.int16)).view(dtype).reshape(shape)
    return torch.from_numpy(numbers).to(dtype).reshape(shape)


def _numbers(proto: Any, width: str, field: str) -> np.ndarray:
    """All numbers in a row, in native byte order, in memory of their own."""
    kind = np.dtype(width)
    if proto.HasField("raw_data"):
        if len(proto.raw_data) % kind.itemsize:
            raise Damaged("a tensor with a part of a number")
        numbers = np.frombuffer(proto.raw_data, kind)
    else:
        listed = np.array(getattr(proto, field), np.int64 if kind.kind in "iu" else kind)
        bounds = np.iinfo(kind) if kind.kind in "iu" else None
        if bounds and listed.size and (listed.min() < bounds.min or listed.max() > bounds.max):
            raise Damaged("a tensor with numbers that its type does not have")
        numbers = listed.astype(kind)
    return numbers.astype(kind.newbyteorder("="), copy=True)


def write_tensor(proto: Any, value: Tensor) -> None:
    """Puts ``value``, of the type and shape that ``proto`` has, into its place."""
    dtype, width, field = _TYPES[proto.data_type]
    assert value.dtype == dtype
    assert tuple(value.shape) == tuple(proto.dims)
    plain = value.detach().cpu().contiguous()
    numbers = plain.view(torch.int16).numpy().view(np.uint16) if dtype in _HALVES else plain.numpy()
    proto.ClearField(field)
    proto.raw_data = numbers.astype(width).tobytes()
