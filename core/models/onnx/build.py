"""Builds the network that computes an ONNX graph, node by node, with shape inference."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from core.errors import BadInput
from core.models.onnx import refusals
from core.models.onnx.constants import Claims
from core.models.onnx.graph import Graph, Node
from core.models.onnx.head import Head, find_head, needed
from core.models.onnx.layers import Layers
from core.models.onnx.net import GraphNet, Step
from core.models.onnx.operators import Unread
from core.models.onnx.trace import TRACED_IMAGES


@dataclass(frozen=True)
class Built:
    """``claims``: which tensors of the file the network holds."""

    net: GraphNet
    claims: Claims
    classes: int
    head: Head


def build(graph: Graph, channels: int, size: tuple[int, int], last_channel: bool, images: int = TRACED_IMAGES) -> Built:
    """The network of a graph.

    Args:
        channels, size: of the images to work the shapes out for. last_channel: whether the graph has them last.
        images: batch size of shape inference; other than ``TRACED_IMAGES``, the graph's own batch size.

    Raises:
        BadInput: ``onnx_operator``, ``onnx_broken``, ``onnx_no_head``, ``onnx_output``, ``onnx_shared_tensor``,
            ``weights_not_finite`` or ``weights_too_large``.
    """
    return _Builder(graph, channels, size, last_channel, images).built()


class _Builder(Layers):
    def built(self) -> Built:
        known = self._known()
        head = find_head(self.graph, known)
        nodes = needed(self.graph, head.logits)
        for node in nodes:
            for name in node.inputs:
                self.takers[name] = self.takers.get(name, 0) + 1
        logits, number = head.logits, None
        for node in nodes:
            try:
                self._node(node, head)
            except (Unread, KeyError) as error:
                raise refusals.operator(self.graph.path, node.op) from error
            except (BadInput, MemoryError):
                raise
            except Exception as error:  # torch, given attributes and shapes that a stranger made up
                reason = (str(error).splitlines() or [""])[0]
                raise refusals.broken(self.graph.path, f"{node.name or node.op} ({node.op}): {reason}") from error
            if node is head.node:
                number = self._head_layer(node)
                if node.op == "Conv":
                    logits = node.outputs[0]
                    break
        if number is None:
            raise refusals.no_head(self.graph.path, head.node.op)
        shape = tuple(self._tensor(logits).shape)
        if len(shape) != 2 or shape[0] != self.images or shape[1] < 2:
            raise refusals.odd_output(self.graph.path, f"numbers of the shape (n, {', '.join(map(str, shape[1:]))})")
        if shape[1] != self.layers[number].out_features:
            raise refusals.no_head(self.graph.path, head.after[0] if head.after else head.node.op)
        dims = self.graph.input_dims
        fixed = (dims[1], dims[2]) if self.last_channel else (dims[2], dims[3])
        steps = _forgetting(self.steps, logits)
        net = GraphNet(steps, self.layers, self.held, self.graph.input, logits, fixed, self.last_channel, number)
        return Built(net.eval(), self.claims, shape[1], head)

    def _known(self) -> dict[str, bool]:
        """Names of tensors that do not depend on the images."""
        known = dict.fromkeys(self.graph.constants, True)
        for node in self.graph.nodes:
            if all(name in known for name in node.inputs if name):
                known |= dict.fromkeys(node.outputs, True)
        return known

    def _node(self, node: Node, head: Head) -> None:
        layer = self._layer(node, head)
        if not layer:
            self._operator(node)

    def _head_layer(self, node: Node) -> int | None:
        step = self.steps[-1]
        module = None if step.layer is None else self.layers[step.layer]
        flat = isinstance(module, nn.Linear) and self._tensor(step.inputs[0].what).dim() == 2
        return step.layer if flat else None


def _forgetting(steps: list[Step], kept: str) -> tuple[Step, ...]:
    """The steps, each with the tensors that are not needed after it."""
    last: dict[str, int] = {}
    for at, step in enumerate(steps):
        for name in (*step.outputs, *(t.what for t in step.inputs if t.kind in ("tensor", "numbers"))):
            last[name] = at
    gone: dict[int, list[str]] = {}
    for name, at in last.items():
        if name != kept:
            gone.setdefault(at, []).append(name)
    return tuple(replace(step, done=tuple(gone.get(at, ()))) for at, step in enumerate(steps))
