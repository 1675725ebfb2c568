"""Checks the sizes in an ONNX file before it is parsed.

A parser makes an object of every field, however short: two bytes of a file may take a hundred of memory. So the fields
are counted first, in every message that the parser would go into, and what is not plain numbers is limited. (Protocol
Buffers, "Encoding".) Which fields are messages is read from the parser's own schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.models import refusals
from core.models.onnx import refusals as onnx_refusals
from core.models.pickle_values import Damaged

MAX_BYTES = 2**31 - 1  # bytes: what Protocol Buffers allow
LARGEST_STRUCTURE = 16 * 2**20  # bytes that are not numbers of tensors
MOST_FIELDS = 400_000
DEEPEST = 60  # messages within one another; the parser itself stops at 100
_MODEL, _TENSOR = "onnx.ModelProto", "onnx.TensorProto"
_GRAPH, _TRAINING, _FUNCTIONS = 7, 20, 25  # of a model
_NAME = 1  # of a function
_NUMBERS = (4, 9, 10)  # of a tensor: float_data, raw_data, double_data
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


def judge(path: Path, content: bytes, most_fields: int = MOST_FIELDS) -> None:
    """Refuses files that would need far more memory than their size, have unused fields, or are no message.

    Args:
        most_fields: that a file may have, in all its messages.

    Raises:
        Damaged: the fields do not fill the file. BadInput: ``weights_too_large``; ``onnx_subgraph``, it has functions
            or a part that trains it.
    """
    refusals.check_memory(path, 4 * len(content))
    numbers = _Walk(path, memoryview(content), most_fields).numbers
    if len(content) - numbers > LARGEST_STRUCTURE:
        raise refusals.too_large(path)


@lru_cache(maxsize=1)
def _messages() -> dict[str, dict[int, str]]:
    """For each kind of message in a model, the fields that are messages and their kind."""
    from onnx import ModelProto

    found: dict[str, dict[int, str]] = {}
    left: list[Any] = [ModelProto.DESCRIPTOR]
    while left:
        kind = left.pop()
        if kind.full_name not in found:
            inner = {field.number: field.message_type for field in kind.fields if field.message_type is not None}
            found[kind.full_name] = {number: message.full_name for number, message in inner.items()}
            left += inner.values()
    return found


class _Walk:
    """Goes through a model's fields. ``numbers``: bytes that are numbers of tensors; ``seen``: fields so far."""

    def __init__(self, path: Path, content: memoryview, most_fields: int) -> None:
        self.path, self.content, self.most_fields, self.seen, self.numbers = path, content, most_fields, 0, 0
        self.kinds = _messages()
        graphs = 0
        for field, start, end in self.fields(0, len(content)):
            if field in (_TRAINING, _FUNCTIONS):
                named = self.name(start, end) if field == _FUNCTIONS else "training_info"
                raise onnx_refusals.subgraph(path, named)
            graphs += field == _GRAPH
            if field in self.kinds[_MODEL]:
                self.message(self.kinds[_MODEL][field], start, end, 1)
        if not graphs:
            raise onnx_refusals.no_graph(path)

    def message(self, kind: str, start: int, end: int, depth: int) -> None:
        """Counts the fields of a message and of all that are within it."""
        if depth > DEEPEST:
            raise Damaged("its messages are too deep within one another")
        inner = self.kinds[kind]
        for field, first, last in self.fields(start, end):
            if field in inner:
                self.message(inner[field], first, last, depth + 1)
            elif kind == _TENSOR and field in _NUMBERS:
                self.numbers += last - first

    def name(self, start: int, end: int) -> str:
        """Of a function."""
        for field, first, last in self.fields(start, end):
            if field == _NAME:
                return bytes(self.content[first : min(last, first + 200)]).decode("utf-8", "replace")
        return "functions"

    def fields(self, at: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Number, first byte and the byte after the last of each field that is a run of bytes."""
        while at < end:
            self.seen += 1
            if self.seen > self.most_fields:
                raise refusals.too_large(self.path)
            tag, at = self.varint(at, end)
            kind = tag & 7
            if kind == _BYTES:
                length, at = self.varint(at, end)
                if length > end - at:
                    raise Damaged("a field is longer than the file")
                yield tag >> 3, at, at + length
                at += length
            elif kind == _VARINT:
                _, at = self.varint(at, end)
            elif kind in (_EIGHT, _FOUR):
                at += 8 if kind == _EIGHT else 4
            else:
                raise Damaged("a field of an unknown kind")
        if at != end:
            raise Damaged("a field is longer than the file")

    def varint(self, at: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                raise Damaged("a number is cut short")
            byte = self.content[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, at
        raise Damaged("a number is too long")
