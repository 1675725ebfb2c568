"""Constants of a graph: tensors of the file, in the shapes that the network needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from core.models.onnx.graph import Graph
from core.models.onnx.refusals import shared
from core.models.refusals import not_finite
from core.models.rewrites import TakenApart

View = tuple[str, tuple[int, ...], tuple[int, ...]]  # "permute": order, (); "reshape": shape before, shape after
MASKED = -99.0  # additive attention mask; not a trained weight


@dataclass(frozen=True)
class Constant:
    """``value``: float32, int64 or bool. ``source``: the tensor of the file that it is; "" where it was worked out
    from several. ``views``: how it lies in the network, after how it lies in the file."""

    value: Tensor
    source: str = ""
    views: tuple[View, ...] = ()

    def viewed(self, value: Tensor, kind: str, order: tuple[int, ...] = ()) -> Constant:
        """The constant after a ``Transpose`` or a reshaping, with the resulting ``value``."""
        view: View = (kind, order, ()) if kind == "permute" else (kind, tuple(self.value.shape), tuple(value.shape))
        return replace(self, value=value, views=(*self.views, view) if self.source else ())

    @property
    def transposed(self) -> Constant:
        return self.viewed(self.value.T, "permute", (1, 0))


def constant(tensor: Tensor, source: str = "") -> Constant:
    """A constant in the number type that the network computes with."""
    if tensor.is_floating_point():
        return Constant(tensor.float(), source)
    return Constant(tensor if tensor.dtype == torch.bool else tensor.long(), source)


@dataclass(frozen=True)
class Turned(TakenApart):
    """A weight that the network has transposed or reshaped; see ``core.models.rewrites.TakenApart``."""

    views: tuple[View, ...] = ()

    def joined(self) -> Tensor:
        (value,) = self.parts.values()
        for kind, first, second in self.views:
            value = value.permute(first) if kind == "permute" else value.reshape(second)
        return value

    def apart(self, value: Tensor) -> dict[str, Tensor]:
        (name,) = self.parts
        for kind, first, _ in reversed(self.views):
            back = sorted(range(len(first)), key=lambda at: first[at])
            value = value.permute(back) if kind == "permute" else value.reshape(first)
        return {name: value}


@dataclass
class Claims:
    """The tensors of the file that the network holds, each once, even if several nodes use it.

    ``names``: the tensor of the file, by the key in the network's state_dict.
    """

    graph: Graph
    taken: dict[str, tuple[str, tuple[View, ...], Tensor]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    views: dict[str, tuple[View, ...]] = field(default_factory=dict)

    def parameter(self, given: Constant, key: str) -> torch.nn.Parameter:
        return self._claimed(given, key, "parameter")  # type: ignore[return-value]

    def buffer(self, given: Constant, key: str) -> Tensor:
        return self._claimed(given, key, "buffer")

    def frozen(self, given: Constant) -> Tensor:
        """A tensor that is not trained, in any shape."""
        self.freeze(given)
        return given.value.contiguous().clone()

    def freeze(self, given: Constant) -> None:
        """Excludes a tensor from training, since another one was computed from it."""
        if given.source and given.value.is_floating_point():
            role, _, _ = self.taken.setdefault(given.source, ("frozen", (), given.value))
            if role != "frozen":
                raise shared(self.graph.path, given.source)

    def _claimed(self, given: Constant, key: str, role: str) -> Tensor:
        if not bool(given.value.isfinite().all()):
            raise not_finite(self.graph.path, given.source)
        if given.source in self.taken:
            before, views, tensor = self.taken[given.source]
            if (before, views) != (role, given.views):
                raise shared(self.graph.path, given.source)
            return tensor
        tensor = given.value.contiguous().clone()
        tensor = torch.nn.Parameter(tensor) if role == "parameter" else tensor
        self.taken[given.source] = (role, given.views, tensor)
        self.names[key] = given.source
        self.views[key] = given.views
        return tensor


def is_weight(given: Constant) -> bool:
    """Whether an operator's tensor is a trained weight: not a single number, a mask, or a computed tensor."""
    value = given.value
    learnt = bool(given.source) and not given.views and value.is_floating_point() and value.numel() > 1
    return learnt and float(value.min()) > MASKED


def turned(
    names: Mapping[str, str], views: Mapping[str, tuple[View, ...]], file: Mapping[str, Tensor]
) -> dict[str, Turned]:
    """The transposed or reshaped weights, by their names in the file."""
    return {source: Turned("turned", {source: file[source]}, views[key]) for key, source in names.items() if views[key]}
