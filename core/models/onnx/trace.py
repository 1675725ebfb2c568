"""Shape inference of a graph, operator by operator, before a tensor of that size is allocated.

Shapes are worked out without memory (torch's device "meta"). What depends on shapes alone is small, lies on the CPU,
and is worked out for real.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.models.onnx import pooling, shaping  # noqa: F401 (they register their operators)
from core.models.onnx.constants import Claims, Constant, constant, is_weight
from core.models.onnx.graph import Graph, Node
from core.models.onnx.net import Step, Taken, attributes_for
from core.models.onnx.operators import OPERATORS, Attributes, Unread
from core.models.refusals import too_large

TRACED_IMAGES = 1009  # batch size of shape inference; a prime, so that the batch axis is recognised by its size
MOST_NUMBERS = 2**27  # of a tensor for one image
MOST_WORK = 1e12  # multiplications for one
MOST_SMALL = 2**16  # numbers of a tensor that shapes depend on
MOST_FOLDED = 2**24  # numbers of all tensors that are computed in advance
_RESHAPING = ("Reshape", "Squeeze", "Unsqueeze", "Flatten")


@dataclass(frozen=True)
class Small:
    """A tensor on the CPU that depends on shapes alone; ``value``: for ``TRACED_IMAGES`` images."""

    value: Tensor


Value = Constant | Small | Tensor  # the last on "meta": what depends on the images' pixels


class Tracing:
    """The state of shape inference: what is known of each tensor, and the steps so far."""

    def __init__(self, graph: Graph, channels: int, size: tuple[int, int], last_channel: bool, images: int) -> None:
        self.graph, self.last_channel, self.images = graph, last_channel, images
        self.claims = Claims(graph)
        self.steps: list[Step] = []
        self.layers: list[nn.Module] = []
        self.held: dict[str, Tensor] = {}
        self.values: dict[str, Value] = {}
        self.bare: dict[str, int] = {}  # outputs of linear layers without a bias, and the layer's number
        self.takers: dict[str, int] = {}
        self.work = self.folded = 0.0
        shape = (images, *size, channels) if last_channel else (images, channels, *size)
        self.values[graph.input] = torch.empty(shape, device="meta")

    def _value(self, name: str) -> Value:
        if name not in self.values:
            self.values[name] = constant(self.graph.constants[name], name)
        return self.values[name]

    def _tensor(self, name: str) -> Tensor:
        value = self._value(name)
        return value if isinstance(value, Tensor) else value.value

    def _operator(self, node: Node) -> None:
        if node.op not in OPERATORS or len(node.inputs) > OPERATORS[node.op].most:
            raise Unread
        a = {**node.attributes, "op": node.op, "opset": self.graph.opset, "outputs": len(node.outputs)}
        values = [self._value(name) if name else None for name in node.inputs]
        if all(value is None or isinstance(value, Constant) for value in values):
            self._fold(node, a, values)
            return
        kind = OPERATORS[node.op]
        taken = [self._takes(node, at, value, at in kind.values) for at, value in enumerate(values)]
        taken += [Taken("none")] * (kind.most - len(taken) if kind.values else 0)
        self._run(node.op, {**a, **self._batch(node.op, values, taken)}, tuple(taken), node.outputs)

    def _batch(self, op: str, values: list[Any], taken: list[Taken]) -> Attributes:
        """Of a graph for a fixed number of images: at which axis of a target, or of the parts, more are to go."""
        batch = self.graph.input_dims[0]
        counted = [_axis(value) for value in values if isinstance(value, Tensor)]
        if not batch or self.images != TRACED_IMAGES or not any(axis is not None for axis in counted):
            return {}
        if op == "Concat":
            return {"batch": batch, "counted": next(axis for axis in counted if axis is not None)}
        if op == "Reshape" and counted[0] is not None and len(taken) > 1:
            target = self._example(taken[1], meta=True)
            place = _place(list(values[0].shape), counted[0], target) if isinstance(target, list) else None
            return {} if place is None else {"batch": batch, "counted": place}
        return {}

    def _takes(self, node: Node, at: int, value: Value | None, numbers: bool) -> Taken:
        if value is None:
            return Taken("none")
        if numbers:
            if isinstance(value, Tensor):
                raise Unread  # a shape that depends on the pixels
            if isinstance(value, Small):
                return Taken("numbers", node.inputs[at])
            if value.value.numel() > MOST_SMALL:
                raise Unread
            if value.source and not value.value.is_floating_point():
                return Taken("list", value.value.tolist())
            return Taken("list", (self.claims.frozen(value) if value.source else value.value).tolist())
        if not isinstance(value, Constant):
            return Taken("tensor", node.inputs[at])
        name = f"t{len(self.held)}"
        if self.layers and is_weight(value):
            tensor: Tensor = self.claims.parameter(value, f"held.{name}")
            known = next((known for known, other in self.held.items() if other is tensor), None)
            if known is not None:
                return Taken("held", known)
            self.held[name] = tensor
        else:
            self.held[name] = self.claims.frozen(value)
        return Taken("held", name)

    def _run(self, op: str, a: Attributes, taken: tuple[Taken, ...], outputs: tuple[str, ...]) -> None:
        """Adds the step, after it was run for its shapes."""
        step = Step(op, {"op": op, "opset": self.graph.opset, **a}, taken, outputs)
        depends = any(t.kind == "tensor" and isinstance(self.values[t.what], Tensor) for t in taken)
        if op in ("Shape", "Size"):
            made: Any = OPERATORS[op].run(step.attributes, [self._tensor(taken[0].what)])
            self.values[outputs[0]] = Small(made)
            self.steps.append(step)
            return
        a = attributes_for(step, self.images)
        given = [self._example(t, meta=True) for t in taken]
        with torch.no_grad():
            made = OPERATORS[op].run(a, given)
        made = made if isinstance(made, tuple) else (made,)
        for tensor in made:
            self._judge(tensor)
        # a large one, repeated for each image, is computed with and never asked for its numbers
        depends = depends or sum(tensor.numel() for tensor in made) > MOST_SMALL
        if not depends:
            made = OPERATORS[op].run(a, [self._example(t, meta=False) for t in taken])
            made = made if isinstance(made, tuple) else (made,)
        if op == "MatMul":
            self.work += made[0].numel() * given[0].shape[-1]
            self._judge(made[0])
        if len([name for name in outputs if name]) > len(made):
            raise Unread
        for name, tensor in zip(outputs, made, strict=False):
            self.values[name] = tensor if depends else Small(tensor)
        self.steps.append(step)

    def _example(self, taken: Taken, meta: bool) -> Any:
        if taken.kind == "held":
            tensor = self.held[taken.what]
        elif taken.kind in ("tensor", "numbers"):
            tensor = self._tensor(taken.what)
        else:
            return taken.what
        if taken.kind == "numbers":
            return tensor.tolist()
        return tensor.to("meta") if meta else tensor

    def _judge(self, made: Tensor) -> None:
        if made.numel() > TRACED_IMAGES * MOST_NUMBERS or self.work > TRACED_IMAGES * MOST_WORK:
            raise too_large(self.graph.path)

    def _fold(self, node: Node, a: Attributes, values: list[Any]) -> None:
        """Computes a node that does not depend on the images, once."""
        first: Any = values[0] if values else None
        if node.op == "Identity" or (
            node.op == "Cast" and first.value.is_floating_point() and a.get("to") in (1, 10, 11, 16)
        ):
            self.values[node.outputs[0]] = first
            return
        kind = OPERATORS[node.op]
        given = [
            None if v is None else v.value.tolist() if at in kind.values else v.value for at, v in enumerate(values)
        ]
        given += [None] * (kind.most - len(given) if kind.values else 0)
        with torch.no_grad():
            meta = kind.run(a, [v.to("meta") if isinstance(v, Tensor) else v for v in given])
            meta = meta if isinstance(meta, tuple) else (meta,)
            self.folded += sum(tensor.numel() for tensor in meta)
            if self.folded > MOST_FOLDED and node.op not in ("Transpose", *_RESHAPING):
                raise Unread
            made = kind.run(a, given)
        if node.op not in ("Transpose", *_RESHAPING):
            for value in values:
                if value is not None:
                    self.claims.freeze(value)
        made = made if isinstance(made, tuple) else (made,)
        for name, tensor in zip(node.outputs, made, strict=False):
            value = Constant(tensor)
            if first is not None and node.op == "Transpose":
                value = first.viewed(tensor, "permute", tuple(a.get("perm") or reversed(range(tensor.dim()))))
            elif first is not None and node.op in _RESHAPING:
                value = first.viewed(tensor, "reshape")
            self.values[name] = value


def _axis(value: Tensor) -> int | None:
    """The batch axis."""
    return next((axis for axis, side in enumerate(value.shape) if side and side % TRACED_IMAGES == 0), None)


def _place(shape: list[int], axis: int, target: list[int]) -> int | None:
    """Where in the target of a ``Reshape`` the axis of the images goes; None where it counts them already.

    Numbers keep their order: before that axis there are as many in the target as there were.
    """
    if any(side and side % TRACED_IMAGES == 0 for side in target):
        return None
    before, sofar = math.prod(shape[:axis]), 1
    for place, side in enumerate(target):
        if side == -1 or (side == 0 and place == axis):
            return None
        if sofar == before:
            return place
        sofar *= shape[place] if side == 0 else side
    return None
