"""Reading a plain row of layers (convolutions, batch norms, linear layers) off the names and shapes of its tensors."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Shapes = Mapping[str, Sequence[int]]
_LEAVES = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}


@dataclass(frozen=True)
class Layer:
    """A layer with weights.

    ``path``: its module. ``into``, ``out``: channels or features. ``kernel``, ``groups``: of a convolution.
    ``gap``: how many places without weights lie between it and the next in one ``Sequential``; None if the numbering
    does not tell.
    """

    path: str
    kind: Literal["conv", "norm", "linear"]
    into: int
    out: int
    kernel: tuple[int, int] = (1, 1)
    groups: int = 1
    bias: bool = False
    gap: int | None = None


def layers_of(shapes: Shapes) -> list[Layer] | None:
    """The layers in the order in which their channels fit together; None if the tensors are those of no plain row."""
    grouped: dict[str, dict[str, Sequence[int]]] = {}
    for name, shape in shapes.items():
        path, _, leaf = name.rpartition(".")
        grouped.setdefault(path, {})[leaf] = shape
    layers = [_layer(path, tensors) for path, tensors in grouped.items()]
    if not layers or any(layer is None for layer in layers):
        return None
    known = [layer for layer in layers if layer is not None]
    for order in (known, sorted(known, key=_by_container(known)), sorted(known, key=_by_number)):
        chain = _chained(order)
        if chain:
            return [replace(a, gap=_gap(a, b)) for a, b in itertools.pairwise(chain)] + chain[-1:]
    return None


def _layer(path: str, tensors: dict[str, Sequence[int]]) -> Layer | None:
    weight = tensors.get("weight")
    if weight is None or not path or not set(tensors) <= _LEAVES:
        return None
    bias = "bias" in tensors
    if len(weight) == 4 and len(tensors) <= 2:
        return Layer(path, "conv", weight[1], weight[0], (weight[2], weight[3]), bias=bias)
    if len(weight) == 2 and len(tensors) <= 2:
        return Layer(path, "linear", weight[1], weight[0], bias=bias)
    if len(weight) == 1 and "running_mean" in tensors and bias:
        return Layer(path, "norm", weight[0], weight[0], bias=True)
    return None


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def _by_container(layers: list[Layer]):
    """Containers that hold convolutions first; inside, by number."""
    convolving = {layer.path.rpartition(".")[0] for layer in layers if layer.kind == "conv"}

    def key(layer: Layer):
        container = layer.path.rpartition(".")[0]
        return container not in convolving, _natural(container), _natural(layer.path)

    return key


def _by_number(layer: Layer):
    """conv1, bn1, conv2, bn2, fc1, fc2: the number first, then convolution before norm; linear layers last."""
    numbers = re.findall(r"\d+", layer.path)
    return layer.kind == "linear", int(numbers[-1]) if numbers else 10**6, layer.kind, _natural(layer.path)


def _chained(layers: list[Layer]) -> list[Layer] | None:
    """The layers, if each takes what the one before gives and the last is linear; groups of convolutions filled in."""
    chain: list[Layer] = []
    wide: int | None = None
    flat = False
    for layer in layers:
        if layer.kind == "conv":
            if layer.into == 1 and wide == layer.out > 1:  # each channel by itself
                layer = replace(layer, groups=layer.out)
            if flat or wide not in (None, layer.into * layer.groups):
                return None
        elif layer.kind == "norm":
            if wide != layer.into:
                return None
        else:
            if wide is not None and (layer.into != wide if flat else layer.into % wide):
                return None
            flat = True
        wide = layer.out
        chain.append(layer)
    return chain if chain[-1].kind == "linear" else None


def _gap(layer: Layer, following: Layer) -> int | None:
    container, _, at = layer.path.rpartition(".")
    other, _, to = following.path.rpartition(".")
    if container != other or not (at.isdigit() and to.isdigit()):
        return None
    return int(to) - int(at) - 1
