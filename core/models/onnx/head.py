"""Finds the layer that gives a graph's logits: the last linear layer, or 1 x 1 convolution, before the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.models.onnx import refusals
from core.models.onnx.graph import Graph, Node

LINEAR = ("Gemm", "MatMul", "Conv")
ENDS = ("Softmax", "LogSoftmax", "Sigmoid")  # that leave the order of the classes as it is
POOLINGS = ("GlobalAveragePool", "ReduceMean")
_PASSED = ("Identity", "Dropout", "Cast", "Flatten", "Reshape", "Squeeze", *POOLINGS)


@dataclass(frozen=True)
class Head:
    """``node``: the layer. ``logits``: the tensor that they are. ``after``: operators between the two. ``end``: the
    operator after the logits that is left out, or ""."""

    node: Node
    logits: str
    after: tuple[str, ...]
    end: str


def find_head(graph: Graph, constant: Mapping[str, object]) -> Head:
    """Searches backwards from the first output.

    Args:
        constant: names of tensors that are known without an image.

    Raises:
        BadInput: ``onnx_no_head``.
    """
    makers = {name: node for node in graph.nodes for name in node.outputs}
    name = logits = graph.output
    after: list[str] = []
    end = ""
    while True:
        node = makers.get(name)
        if node is None:
            raise refusals.no_head(graph.path, "its input")
        if node.op in LINEAR:
            return Head(node, logits, tuple(after), end)
        inputs = [given for given in node.inputs if given]
        if node.op in ENDS and not end and inputs:
            logits, after, end = inputs[0], [], node.op
        elif node.op == "Add" and len(inputs) == 2 and sum(given in constant for given in inputs) == 1:
            after.append(node.op)
            inputs = [given for given in inputs if given not in constant]
        elif node.op in _PASSED and inputs:
            after.append(node.op)
        else:
            raise refusals.no_head(graph.path, node.op)
        name = inputs[0]


def needed(graph: Graph, wanted: str) -> list[Node]:
    """The nodes that a tensor depends on, in order."""
    names, nodes = {wanted}, []
    for node in reversed(graph.nodes):
        if names.intersection(node.outputs):
            names.update(node.inputs)
            nodes.append(node)
    return nodes[::-1]
