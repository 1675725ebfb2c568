"""Reads an ONNX file into nodes and tensors, all of them checked; computes nothing.

``onnx.load`` opens files that the model names, and its checker and shape inference are C++ that a hostile file may
crash: neither is used. The bytes are counted (``wire``), parsed by Protocol Buffers, and judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from core.models.onnx import refusals, wire
from core.models.onnx.tensors import read_tensor, write_tensor
from core.models.pickle_values import Damaged
from core.models.refusals import MAX_TENSORS

Attribute = int | float | str | list[int] | list[float] | list[str] | Tensor
OPSETS = (7, 25)
MOST_NODES = 20_000
MOST_ENDS = 1_000  # inputs, or outputs, of one node
_OWN = ("", "ai.onnx")
_LONGEST_NAME = 500
_FLOAT, _INT, _STRING, _TENSOR, _FLOATS, _INTS, _STRINGS = 1, 2, 3, 4, 6, 7, 8
_SUBGRAPHS = (5, 10)  # GRAPH, GRAPHS
_FLOATING = (1, 10, 11, 16)
_QUANTISED = ("Quantize", "Dequantize", "QLinear", "ConvInteger", "MatMulInteger", "DynamicQuantize", "QAttention")


@dataclass(frozen=True)
class Node:
    """``op``: of ONNX's own operators. ``inputs``: "" where one is left out."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True)
class Graph:
    """``constants``: all tensors of the file by name, those of ``Constant`` nodes under the name of its output.
    ``input_dims``: None where a size is free. ``model``: the file as parsed, not to be changed."""

    path: Path
    model: Any
    opset: int
    nodes: tuple[Node, ...]
    constants: Mapping[str, Tensor]
    input: str
    input_dims: tuple[int | None, ...]
    output: str

    def written(self, tensors: Mapping[str, Tensor]) -> bytes:
        """The file with these tensors in place of its own of the same names, otherwise unchanged."""
        model = type(self.model)()
        model.CopyFrom(self.model)
        for name, proto in _protos(model.graph):
            new = tensors.get(name)
            if new is not None and not new.equal(self.constants[name]):
                write_tensor(proto, new)
        return model.SerializeToString(deterministic=True)


def read_graph(path: Path, content: bytes) -> Graph:
    """The graph in the bytes of an ONNX file.

    Raises:
        BadInput: ``weights_too_large``, ``weights_odd_tensor``, ``onnx_version``, ``onnx_domain``, ``onnx_subgraph``,
            ``onnx_quantised``, ``onnx_no_graph``, ``onnx_external``, ``onnx_broken``, ``onnx_input`` or
            ``onnx_output``.
        Damaged: the bytes are no ONNX model.
    """
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    wire.judge(path, content)
    try:
        model = ModelProto.FromString(content)
    except DecodeError as error:
        raise Damaged("it is no ONNX model") from error
    graph = model.graph
    opset = _opset(path, model)
    if len(graph.node) > MOST_NODES or len(graph.initializer) > MAX_TENSORS:
        raise Damaged("it has more nodes or tensors than any image classifier")
    if len(graph.sparse_initializer):
        from core.models.refusals import odd_tensor

        raise odd_tensor(path, graph.sparse_initializer[0].values.name or "sparse_initializer")
    nodes = tuple(_node(path, node) for node in graph.node if not _constant_tensor(node))
    constants: dict[str, Tensor] = {}
    for name, proto in _protos(graph):
        if not name or name in constants or not _sayable(name):
            raise refusals.broken(path, f"the tensor {name[:80]!r} is there twice, or has no name")
        constants[name] = read_tensor(path, proto, name)
    given = [value for value in graph.input if value.name not in constants]
    if len(given) != 1:
        raise refusals.odd_input(path, f"{len(given)} inputs")
    if not graph.output:
        raise refusals.odd_output(path, "nothing")
    _connected(path, nodes, {*constants, given[0].name}, [value.name for value in graph.output])
    return Graph(path, model, opset, nodes, constants, given[0].name, _dims(path, given[0]), graph.output[0].name)


def _opset(path: Path, model: Any) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in _OWN]
    if len(versions) != 1 or not OPSETS[0] <= versions[0] <= OPSETS[1]:
        raise refusals.version(path, versions[0] if versions else 0, *OPSETS)
    return versions[0]


def _constant_tensor(node: Any) -> Any:
    """The tensor that a ``Constant`` node holds, or None."""
    if node.op_type == "Constant" and node.domain in _OWN and len(node.attribute) == 1 and len(node.output) == 1:
        attribute = node.attribute[0]
        return attribute.t if attribute.name == "value" and attribute.type == _TENSOR else None
    return None


def _protos(graph: Any) -> Iterator[tuple[str, Any]]:
    """All tensors of the graph that a node can use, by name."""
    for proto in graph.initializer:
        yield proto.name, proto
    for node in graph.node:
        proto = _constant_tensor(node)
        if proto is not None:
            yield node.output[0], proto


def _node(path: Path, node: Any) -> Node:
    op = node.op_type
    if not all(map(_sayable, (op, node.domain, node.name, *node.input, *node.output))):
        raise Damaged(f"a name in it has more than {_LONGEST_NAME} characters, or some that cannot be printed")
    if op.startswith(_QUANTISED) or "QLinear" in op or op.endswith("Integer"):
        raise refusals.quantised(path, op)
    if any(attribute.type in _SUBGRAPHS or attribute.ref_attr_name for attribute in node.attribute):
        raise refusals.subgraph(path, op)
    if node.domain not in _OWN:
        raise refusals.domain(path, op, node.domain)
    if max(len(node.input), len(node.output)) > MOST_ENDS or not len(node.output):
        raise refusals.broken(path, f"the node {node.name or op} has no outputs, or too many")
    attributes = {}
    for attribute in node.attribute:
        if attribute.name in attributes:
            raise refusals.broken(path, f"the node {node.name or op} has the attribute {attribute.name[:80]} twice")
        attributes[attribute.name] = _value(path, op, attribute)
    return Node(op, node.name, tuple(node.input), tuple(node.output), attributes)


def _value(path: Path, op: str, attribute: Any) -> Attribute:
    kind = attribute.type
    if kind == _TENSOR:
        return read_tensor(path, attribute.t, f"{op}.{attribute.name}"[:_LONGEST_NAME])
    if kind in (_STRING, _STRINGS):
        texts = [text.decode("utf-8", "replace") for text in ([attribute.s] if kind == _STRING else attribute.strings)]
        return texts[0] if kind == _STRING else texts
    fields = {_FLOAT: "f", _INT: "i", _FLOATS: "floats", _INTS: "ints"}
    if kind not in fields:
        raise refusals.operator(path, op)
    value = getattr(attribute, fields[kind])
    return value if kind in (_FLOAT, _INT) else list(value)


def _connected(path: Path, nodes: tuple[Node, ...], known: set[str], outputs: list[str]) -> None:
    """Checks that every node uses results of earlier nodes only, and none is defined twice; so there is no cycle."""
    made = {name for node in nodes for name in node.outputs}
    for node in nodes:
        for name in node.inputs:
            if name and name not in known:
                why = "before it is made (a circle, or nodes out of order)" if name in made else "which nothing makes"
                raise refusals.broken(path, f"the node {node.name or node.op} takes {name[:60]}, {why}")
        for name in node.outputs:
            if name and name in known:
                raise refusals.broken(path, f"{name[:60]} is made twice")
            known.add(name)
    for name in outputs[:1]:
        if name not in known:
            raise refusals.broken(path, f"nothing makes its output {name[:60]}")


def _dims(path: Path, value: Any) -> tuple[int | None, ...]:
    """The sizes of the input, images of floating-point numbers."""
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or kind.elem_type not in _FLOATING:
        raise refusals.odd_input(path, "something else than floating-point numbers")
    dims = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim)
    if len(dims) != 4:
        given = "an input of an unknown shape" if not dims else f"an input of {len(dims)} dimensions"
        raise refusals.odd_input(path, given)
    return dims


def _sayable(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and (name.isprintable() or not name)
