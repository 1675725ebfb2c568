"""The torch network that computes what an ONNX graph does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from core.models.onnx.operators import OPERATORS, Attributes
from core.models.onnx.pooling import padded, same_padding

HEAD = "_head_path"  # as core.models.classifier.find_head looks it up


@dataclass(frozen=True)
class Taken:
    """An input of a step: ``kind`` "tensor" or "numbers" made by a step called ``what``; "list", the numbers
    themselves; "held", a tensor of the network; "none"."""

    kind: str
    what: Any = None


@dataclass(frozen=True)
class Step:
    """One operator, or one layer if ``layer`` is its number. ``done``: tensors that no later step uses."""

    op: str
    attributes: Attributes
    inputs: tuple[Taken, ...]
    outputs: tuple[str, ...]
    layer: int | None = None
    done: tuple[str, ...] = ()


class GraphNet(nn.Module):
    """The steps of a graph, layers among them as torch modules.

    Args:
        steps: in order. layers: that they use. held: weights (parameters) and fixed tensors beside the layers.
        entry, exit: names of the input and of the logits.
        size: of the images (height, width), where the graph takes no other.
        last_channel: whether the graph wants (n, h, w, c).
        head: number of the layer that gives the logits.
    """

    def __init__(
        self, steps: tuple[Step, ...], layers: list[nn.Module], held: Mapping[str, Tensor], entry: str, exit: str,
        size: tuple[int | None, int | None], last_channel: bool, head: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.steps, self.entry, self.exit, self.size, self.last_channel = steps, entry, exit, size, last_channel
        self.layers = nn.ModuleList(layers)
        self.held = nn.Module()
        for name, tensor in held.items():
            if isinstance(tensor, nn.Parameter):
                self.held.register_parameter(name, tensor)
            else:
                self.held.register_buffer(name, tensor, persistent=False)
        self.__dict__[HEAD] = f"layers.{head}"

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, classes) of scaled images (n, c, h, w)."""
        if any(fixed not in (None, side) for fixed, side in zip(self.size, images.shape[2:], strict=True)):
            raise ValueError(f"the graph takes images of {self.size[0]} x {self.size[1]} alone")
        tensors = {self.entry: images.permute(0, 2, 3, 1) if self.last_channel else images}
        for step in self.steps:
            given = [self._taken(taken, tensors) for taken in step.inputs]
            if step.layer is not None:
                made = self.layers[step.layer](given[0])
            else:
                made = OPERATORS[step.op].run(attributes_for(step, len(images)), given)
            tensors.update(zip(step.outputs, made if isinstance(made, tuple) else (made,), strict=False))
            for name in step.done:
                tensors.pop(name, None)
        return tensors[self.exit]

    def _taken(self, taken: Taken, tensors: Mapping[str, Tensor]) -> Any:
        if taken.kind == "tensor":
            return tensors[taken.what]
        if taken.kind == "held":
            return getattr(self.held, taken.what)
        return tensors[taken.what].tolist() if taken.kind == "numbers" else taken.what


def attributes_for(step: Step, images: int) -> Attributes:
    """Attributes with the current batch size, if the graph was made for a fixed one."""
    return step.attributes | {"given": images} if step.attributes.get("batch") else step.attributes


class PaddedConv2d(nn.Conv2d):
    """A convolution whose pads are not the same on both sides, or depend on the size of the image."""

    def __init__(self, *arguments: Any, window: Attributes, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(padded(x, same_padding(self.window, tuple(x.shape[2:]), list(self.kernel_size))))


def convolution(weight: nn.Parameter, bias: nn.Parameter | None, attributes: Attributes) -> nn.Conv2d:
    """The module for a ``Conv`` of two dimensions."""
    groups, (out, into, *kernel) = attributes.get("group", 1), weight.shape
    strides, dilations = attributes.get("strides") or [1, 1], attributes.get("dilations") or [1, 1]
    pads = attributes.get("pads") or [0, 0, 0, 0]
    fixed = attributes.get("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    pads = [0, 0, 0, 0] if attributes.get("auto_pad") == "VALID" else pads
    plain = fixed and len(pads) == 4 and pads[:2] == pads[2:] and min(pads) >= 0
    kind: Any = nn.Conv2d if plain else partial(PaddedConv2d, window=attributes)
    with torch.device("meta"):
        module = kind(
            into * groups, out, tuple(kernel), tuple(strides), tuple(pads[:2]) if plain else 0, tuple(dilations),
            groups, bias is not None,
        )  # fmt: skip
    return _filled(module, weight=weight, bias=bias)


def linear(weight: nn.Parameter, bias: nn.Parameter | None) -> nn.Linear:
    with torch.device("meta"):
        module = nn.Linear(weight.shape[1], weight.shape[0], bias is not None)
    return _filled(module, weight=weight, bias=bias)


def batch_norm(parts: list[Tensor], flat: bool, eps: float, momentum: float) -> nn.Module:
    """``parts``: scale, bias, mean and variance. ``momentum``: as ONNX defines it, the share of the old value."""
    module = (nn.BatchNorm1d if flat else nn.BatchNorm2d)(len(parts[0]), eps, 1 - momentum)
    module.weight, module.bias = parts[:2]  # type: ignore[assignment]
    module.running_mean, module.running_var = parts[2:]
    return module


def _filled(module: Any, weight: nn.Parameter, bias: nn.Parameter | None) -> Any:
    module.weight = weight
    if bias is not None:
        module.bias = bias
    return module
