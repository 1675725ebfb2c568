"""The nodes of a graph that become torch modules, with weights of the file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from core.models.onnx import refusals
from core.models.onnx.constants import Constant
from core.models.onnx.graph import Node
from core.models.onnx.head import POOLINGS, Head
from core.models.onnx.net import Step, Taken, batch_norm, convolution, linear
from core.models.onnx.operators import Attributes, Unread
from core.models.onnx.trace import Tracing


class Layers(Tracing):
    """Adds layers to the steps."""

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
        """Exchanges a 1 x 1 convolution with the mean after it, so that the convolution becomes a linear layer."""
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
        """Adds the node's tensor as bias to a linear layer that has none; whether that was possible."""
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


def _plain_gemm(a: Attributes, parts: list[Any]) -> bool:
    scaled = a.get("alpha", 1.0) != 1 or a.get("beta", 1.0) != 1 or a.get("transA", 0)
    if scaled or parts[0].value.dim() != 2 or not all(_is_source(part) for part in parts if part):
        return False
    out = parts[0].value.shape[0 if a.get("transB", 0) else 1]
    return len(parts) < 2 or parts[1] is None or tuple(parts[1].value.shape) in ((out,), (1, out))


def _is_source(part: Constant) -> bool:
    return bool(part.source) and part.value.is_floating_point()
