"""The sizes in an ONNX file, judged before it is parsed.

A parser makes an object of every field, however short: two bytes of a file may take a hundred of memory. So the fields
are counted first, and what is not plain numbers is limited. (Protocol Buffers, "Encoding".)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.models import refusals
from core.models.pickle_values import Damaged

LARGEST = 2**31 - 1  # bytes: what Protocol Buffers allow
LARGEST_STRUCTURE = 16 * 2**20  # bytes that are not numbers of tensors
MOST_FIELDS = 400_000
_GRAPH, _NODE, _INITIALIZER, _ATTRIBUTE, _TENSOR = 7, 1, 5, 5, 5
_NUMBERS = (4, 9, 10)  # of a tensor: float_data, raw_data, double_data
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


def judge(path: Path, content: bytes) -> None:
    """Refuses what would take far more room than it has, or is no message at all.

    Raises:
        Damaged: the fields do not fill the file. BadInput: ``weights_too_large``.
    """
    refusals.check_memory(path, 4 * len(content))
    numbers = _Walk(path, memoryview(content)).numbers
    if len(content) - numbers > LARGEST_STRUCTURE:
        raise refusals.too_large(path)


class _Walk:
    """Goes through a model's fields. ``numbers``: bytes that are numbers of tensors; ``seen``: fields so far."""

    def __init__(self, path: Path, content: memoryview) -> None:
        self.path, self.content, self.seen, self.numbers = path, content, 0, 0
        graphs = 0
        for field, start, end in self.fields(0, len(content)):
            if field == _GRAPH:
                graphs += 1
                self.graph(start, end)
        if not graphs:
            raise Damaged("there is no graph in it")

    def graph(self, start: int, end: int) -> None:
        for field, first, last in self.fields(start, end):
            if field == _INITIALIZER:
                self.tensor(first, last)
            elif field == _NODE:
                for inner, a, b in self.fields(first, last):
                    if inner == _ATTRIBUTE:
                        for deeper, c, d in self.fields(a, b):
                            if deeper == _TENSOR:
                                self.tensor(c, d)

    def tensor(self, start: int, end: int) -> None:
        self.numbers += sum(last - first for field, first, last in self.fields(start, end) if field in _NUMBERS)

    def fields(self, at: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Number, first byte and the byte after the last of each field that is a run of bytes."""
        while at < end:
            self.seen += 1
            if self.seen > MOST_FIELDS:
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
