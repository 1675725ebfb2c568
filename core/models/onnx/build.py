"""From an ONNX graph to the network that computes it, node by node, with the shapes worked out on the way.

Shapes are worked out without memory (torch's device "meta"), and judged before anything of that size is made. What
depends on shapes alone is small, lies on the CPU, and is worked out for real.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from core.errors import BadInput
from core.models.onnx import refusals, shaping  # noqa: F401 (registers its operators)
from core.models.onnx.constants import Claims, Constant, constant, is_weight
from core.models.onnx.graph import Graph, Node
from core.models.onnx.head import POOLINGS, Head, find_head, needed
from core.models.onnx.net import GraphNet, Step, Taken, attributes_for, batch_norm, convolution, linear
from core.models.onnx.operators import OPERATORS, Attributes, Unread

IMAGES = 1009  # that the shapes are worked out for; a prime, so that the axis that counts them is seen by its size
MOST_NUMBERS = 2**27  # of a tensor for one image
MOST_WORK = 1e12  # multiplications for one
MOST_SMALL = 2**16  # numbers of a tensor that shapes depend on
MOST_FOLDED = 2**24  # numbers of all tensors that are worked out beforehand
_RESHAPING = ("Reshape", "Squeeze", "Unsqueeze", "Flatten")


@dataclass(frozen=True)
class Small:
    """A tensor on the CPU that depends on shapes alone; ``value``: for ``IMAGES`` images."""

    value: Tensor


Value = Constant | Small | Tensor  # the last on "meta": what depends on the images' pixels


@dataclass(frozen=True)
class Built:
    """``claims``: which tensors of the file the network holds."""

    net: GraphNet
    claims: Claims
    classes: int
    head: Head


def build(graph: Graph, channels: int, size: tuple[int, int], last_channel: bool, images: int = IMAGES) -> Built:
    """The network of a graph.

    Args:
        channels, size: of the images to work the shapes out for. last_channel: whether the graph has them last.
        images: how many the shapes are worked out for; other than ``IMAGES``, the graph's own number.

    Raises:
        BadInput: ``onnx_operator``, ``onnx_broken``, ``onnx_no_head``, ``onnx_output``, ``onnx_shared_tensor``,
            ``weights_not_finite`` or ``weights_too_large``.
    """
    return _Builder(graph, channels, size, last_channel, images).built()


class _Builder:
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
        """Names of tensors that no image has a part in."""
        known = dict.fromkeys(self.graph.constants, True)
        for node in self.graph.nodes:
            if all(name in known for name in node.inputs if name):
                known |= dict.fromkeys(node.outputs, True)
        return known

    def _value(self, name: str) -> Value:
        if name not in self.values:
            self.values[name] = constant(self.graph.constants[name], name)
        return self.values[name]

    def _tensor(self, name: str) -> Tensor:
        value = self._value(name)
        return value if isinstance(value, Tensor) else value.value

    def _node(self, node: Node, head: Head) -> None:
        layer = self._layer(node, head)
        if not layer:
            self._operator(node)

    def _head_layer(self, node: Node) -> int | None:
        step = self.steps[-1]
        module = None if step.layer is None else self.layers[step.layer]
        flat = isinstance(module, nn.Linear) and self._tensor(step.inputs[0].what).dim() == 2
        return step.layer if flat else None

    # ---- layers

    def _layer(self, node: Node, head: Head) -> bool:
        """Whether the node became a module with weights of the file."""
        given: list[Any] = [self._value(name) if name else None for name in node.inputs]
        if not given or not isinstance(given[0], Tensor):
            return False
        x, *others = given
        if node.op == "Add":
            return self._bias(node, given)
        if not others or not all(part is None or isinstance(part, Constant) for part in others):
            if node.op in ("Conv", "BatchNormalization", "PRelu"):
                raise Unread  # weights that depend on the image
            return False
        parts: list[Any] = others
        a = dict(node.attributes)
        if node.op == "Conv":
            self._convolution(node, x, parts, a, node is head.node and head)
        elif node.op == "BatchNormalization":
            self._batch_norm(node, x, parts, a)
        elif node.op == "Gemm" and x.dim() == 2 and _plain_gemm(a, parts):
            weight = parts[0] if a.get("transB", 0) else parts[0].transposed
            bias = parts[1] if len(parts) > 1 and parts[1] is not None else None
            if bias is not None:
                bias = self._flat(bias)
            self._add_linear(node, x, weight, bias)
        elif node.op == "MatMul" and parts[0].value.dim() == 2 and _is_source(parts[0]):
            self._add_linear(node, x, parts[0].transposed, None)
            self.bare[node.outputs[0]] = len(self.layers) - 1
        else:
            return False
        return True

    def _flat(self, bias: Constant) -> Constant:
        return bias if bias.value.dim() == 1 else bias.viewed(bias.value.flatten(), "reshape")

    def _convolution(self, node: Node, x: Tensor, parts: list[Any], a: Attributes, head: Any) -> None:
        weight, bias = parts[0], parts[1] if len(parts) > 1 else None
        if x.dim() != 4 or weight.value.dim() != 4 or not all(_is_source(part) for part in (weight, bias) if part):
            raise Unread
        if tuple(a.get("kernel_shape") or weight.value.shape[2:]) != tuple(weight.value.shape[2:]):
            raise Unread
        if head:
            self._convolution_as_head(node, x, weight, bias, a, head)
            return
        key = self._next_key()
        module = convolution(
            self.claims.parameter(weight, f"{key}weight"),
            None if bias is None else self.claims.parameter(bias, f"{key}bias"), a,
        )  # fmt: skip
        self._add_layer(node, module, Taken("tensor", node.inputs[0]), x)

    def _convolution_as_head(
        self, node: Node, x: Tensor, weight: Constant, bias: Constant | None, a: Attributes, head: Head
    ) -> None:
        """A 1 x 1 convolution and a mean change places, and so the convolution is a linear layer."""
        plain = weight.value.shape[2:] == (1, 1) and a.get("group", 1) == 1 and not any(a.get("pads") or [])
        plain = plain and all(step == 1 for step in a.get("strides") or []) and "Add" not in head.after
        if not plain or not (set(head.after) & set(POOLINGS) or x.shape[2:] == (1, 1)):
            raise refusals.no_head(self.graph.path, "a convolution over many places")
        name = f"{node.outputs[0]} of the mean"
        self._run(
            "ReduceMean", {"axes": [2, 3], "keepdims": 0}, (Taken("tensor", node.inputs[0]), Taken("none")), (name,)
        )
        wide = weight.viewed(weight.value.flatten(1), "reshape")
        self._add_linear(replace(node, inputs=(name,)), self._tensor(name), wide, bias)

    def _batch_norm(self, node: Node, x: Tensor, parts: list[Any], a: Attributes) -> None:
        if len(parts) != 4 or not all(map(_is_source, parts)) or a.get("training_mode", 0) or x.dim() not in (2, 3, 4):
            raise Unread
        key = self._next_key()
        tensors = [
            (self.claims.parameter if at < 2 else self.claims.buffer)(part, f"{key}{name}")
            for at, (part, name) in enumerate(
                zip(parts, ("weight", "bias", "running_mean", "running_var"), strict=True)
            )
        ]
        if float(parts[3].value.min()) < 0 or any(part.value.shape != (x.shape[1],) for part in parts):
            raise Unread
        module = batch_norm(tensors, x.dim() != 4, a.get("epsilon", 1e-5), a.get("momentum", 0.9)).eval()
        self._add_layer(replace(node, outputs=node.outputs[:1]), module, Taken("tensor", node.inputs[0]), x)

    def _add_linear(self, node: Node, x: Tensor, weight: Constant, bias: Constant | None) -> None:
        if not all(_is_source(part) for part in (weight, bias) if part):
            raise Unread
        key = self._next_key()
        module = linear(
            self.claims.parameter(weight, f"{key}weight"),
            None if bias is None else self.claims.parameter(bias, f"{key}bias"),
        )
        self._add_layer(node, module, Taken("tensor", node.inputs[0]), x)

    def _bias(self, node: Node, given: list[Any]) -> bool:
        """Whether the node adds the bias to a linear layer that has none yet."""
        at = next((at for at, name in enumerate(node.inputs) if name in self.bare), None)
        if at is None or len(given) != 2 or self.takers.get(node.inputs[at]) != 1:
            return False
        number, bias = self.bare[node.inputs[at]], given[1 - at]
        module = self.layers[number]
        if not isinstance(bias, Constant) or not _is_source(bias) or bias.value.shape != (module.out_features,):
            return False
        module.bias = self.claims.parameter(bias, f"layers.{number}.bias")
        index = next(at for at, step in enumerate(self.steps) if step.layer == number)
        self.steps[index] = replace(self.steps[index], outputs=node.outputs)
        self.values[node.outputs[0]] = self.values[node.inputs[at]]
        return True

    def _next_key(self) -> str:
        return f"layers.{len(self.layers)}."

    def _add_layer(self, node: Node, module: nn.Module, taken: Taken, x: Tensor) -> None:
        state = {name: tensor.to("meta") for name, tensor in module.state_dict(keep_vars=True).items()}
        with torch.no_grad():
            made = functional_call(module, state, (x,))
        weight = getattr(module, "weight", None)
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            self.work += made.numel() * weight[0].numel()  # type: ignore[index]
        self._judge(made)
        self.steps.append(Step(node.op, {}, (taken,), node.outputs, len(self.layers)))
        self.layers.append(module)
        self.values[node.outputs[0]] = made

    # ---- operators

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
        if not batch or self.images != IMAGES or not any(axis is not None for axis in counted):
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
        from core.models.refusals import too_large

        if made.numel() > IMAGES * MOST_NUMBERS or self.work > IMAGES * MOST_WORK:
            raise too_large(self.graph.path)

    def _fold(self, node: Node, a: Attributes, values: list[Any]) -> None:
        """A node that no image has a part in is worked out once."""
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
    """The axis that counts the images."""
    return next((axis for axis, side in enumerate(value.shape) if side and side % IMAGES == 0), None)


def _place(shape: list[int], axis: int, target: list[int]) -> int | None:
    """Where in the target of a ``Reshape`` the axis of the images goes; None where it counts them already.

    Numbers keep their order: before that axis there are as many in the target as there were.
    """
    if any(side and side % IMAGES == 0 for side in target):
        return None
    before, sofar = math.prod(shape[:axis]), 1
    for place, side in enumerate(target):
        if side == -1 or (side == 0 and place == axis):
            return None
        if sofar == before:
            return place
        sofar *= shape[place] if side == 0 else side
    return None


def _plain_gemm(a: Attributes, parts: list[Any]) -> bool:
    scaled = a.get("alpha", 1.0) != 1 or a.get("beta", 1.0) != 1 or a.get("transA", 0)
    if scaled or parts[0].value.dim() != 2 or not all(_is_source(part) for part in parts if part):
        return False
    out = parts[0].value.shape[0 if a.get("transB", 0) else 1]
    return len(parts) < 2 or parts[1] is None or tuple(parts[1].value.shape) in ((out,), (1, out))


def _is_source(part: Constant) -> bool:
    return bool(part.source) and part.value.is_floating_point()


def _forgetting(steps: list[Step], kept: str) -> tuple[Step, ...]:
    """The steps, each with the tensors that can be let go of after it."""
    last: dict[str, int] = {}
    for at, step in enumerate(steps):
        for name in (*step.outputs, *(t.what for t in step.inputs if t.kind in ("tensor", "numbers"))):
            last[name] = at
    gone: dict[int, list[str]] = {}
    for name, at in last.items():
        if name != kept:
            gone.setdefault(at, []).append(name)
    return tuple(replace(step, done=tuple(gone.get(at, ()))) for at, step in enumerate(steps))
