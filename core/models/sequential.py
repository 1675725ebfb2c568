"""Plain sequential networks, rebuilt from the names and shapes of their weights.

Layers without weights are not in the file: activation, kind of pooling, padding of convolutions. The gaps in the
numbering of a ``Sequential`` tell where such layers sit, and the size of the first linear layer how often the picture
is halved. What remains open is a short list of structures, to be tried on clean images (``core.models.inputs``); a
structure's name says all that was chosen:

    sequential/<activation>/<pooling>/<layers with a pooling after them>/<padding>/<end>

for example ``sequential/elu/max/4-8-12/same/flat``. Layers with weights are counted from 1. Padding is ``same``,
``valid``, or a letter for each convolution (``svsv``). End is ``flat``, ``avg`` or ``max`` (one value, or a few, per
channel). Dropout does nothing in an examined network and is left out.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import BadInput
from core.models.rows import Layer, Shapes, layers_of

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu, "elu": F.elu, "leaky": F.leaky_relu, "tanh": F.tanh, "silu": F.silu, "gelu": F.gelu,
    "sigmoid": F.sigmoid,
}  # fmt: skip
POOLINGS: dict[str, Callable[[Tensor, int], Tensor]] = {"max": F.max_pool2d, "avg": F.avg_pool2d}
_PATTERN = re.compile(r"sequential/([a-z]+)/([a-z]+)/([\d-]*)/(same|valid|[sv]+)/(flat|avg|max)")


@dataclass(frozen=True)
class Structure:
    """All that the weights leave open; fields as in the name."""

    activation: str = "relu"
    pooling: str = "max"
    after: tuple[int, ...] = ()
    padding: str = "same"
    end: str = "flat"

    @property
    def name(self) -> str:
        places = "-".join(map(str, self.after))
        return f"sequential/{self.activation}/{self.pooling}/{places}/{self.padding}/{self.end}"

    def siblings(self) -> list[Structure]:
        """The same places with every other activation and pooling; ``self`` first."""
        kinds = POOLINGS if self.after else (self.pooling,)
        every = [
            replace(self, activation=activation, pooling=pooling) for pooling in kinds for activation in ACTIVATIONS
        ]
        return sorted(every, key=lambda other: other != self)


def parse(arch: str) -> Structure | None:
    """The structure of a name, or None if it is not one."""
    found = _PATTERN.fullmatch(arch)
    if not found or found[1] not in ACTIVATIONS or found[2] not in POOLINGS:
        return None
    after = tuple(int(place) for place in found[3].split("-") if place)
    return Structure(found[1], found[2], after, found[4], found[5])


class _Taken(ValueError):
    """A layer's name is none that a module can have: it is empty, or that of something modules keep themselves."""


class RowNet(nn.Module):
    """The layers of a file in a row, under the names they have there; these may be those of methods, as in any class.

    Args:
        layers: as read from the weights. structure: what the weights leave open.

    Raises:
        _Taken: see there.
    """

    def __init__(self, layers: list[Layer], structure: Structure) -> None:
        super().__init__()
        convs = [layer for layer in layers if layer.kind == "conv"]
        letters = structure.padding if set(structure.padding) <= {"s", "v"} else structure.padding[0] * len(convs)
        pads = dict(zip((layer.path for layer in convs), letters, strict=True))
        active, _ = places(layers)
        self._steps: list[tuple[str, str]] = []
        wide = 0
        flat = not convs
        if flat:
            self._steps.append(("end", "flat"))
        for number, layer in enumerate(layers, 1):
            if layer.kind == "linear" and not flat:
                side = math.isqrt(layer.into // wide)
                self._steps.append(("end", "flat" if structure.end == "flat" else f"{structure.end}{side}"))
                flat = True
            self._add(layer, pads.get(layer.path) == "s", flat)
            self._steps.append(("layer", layer.path))
            if number in active:
                self._steps.append(("activation", structure.activation))
            if number in structure.after:
                self._steps.append(("pooling", structure.pooling))
            wide = layer.out

    def _add(self, layer: Layer, padded: bool, flat: bool) -> None:
        module: nn.Module
        if layer.kind == "conv":
            padding = tuple(side // 2 if padded else 0 for side in layer.kernel)
            channels = layer.into * layer.groups
            module = nn.Conv2d(channels, layer.out, layer.kernel, 1, padding, groups=layer.groups, bias=layer.bias)  # type: ignore[arg-type]
        elif layer.kind == "norm":
            module = nn.BatchNorm1d(layer.out) if flat else nn.BatchNorm2d(layer.out)
        else:
            module = nn.Linear(layer.into, layer.out, bias=layer.bias)
        parent: nn.Module = self
        *path, name = layer.path.split(".")
        for part in path:
            if part not in parent._modules:
                _place(parent, part, nn.Module())
            parent = _below(parent, part)
        _place(parent, name, module)

    def forward(self, x: Tensor) -> Tensor:
        for kind, what in self._steps:
            if kind == "layer":
                x = _below(self, what)(x)
            elif kind == "activation":
                x = ACTIVATIONS[what](x)
            elif kind == "pooling":
                x = POOLINGS[what](x, 2)
            elif what == "flat":
                x = x.flatten(1)
            else:
                pool = F.adaptive_avg_pool2d if what.startswith("avg") else F.adaptive_max_pool2d
                x = pool(x, int(what[3:])).flatten(1)
        return x


def _place(parent: nn.Module, name: str, module: nn.Module) -> None:
    if not name or any(name in names for names in (vars(parent), parent._parameters, parent._buffers, parent._modules)):
        raise _Taken(name)
    setattr(parent, name, module)  # add_module would refuse the names of methods, which checkpoints do have


def _below(module: nn.Module, path: str) -> nn.Module:
    """The module under these names, where ``getattr`` may find methods of the same names."""
    for name in path.split("."):
        child = module._modules[name]
        assert child is not None
        module = child
    return module


def nameable(layers: list[Layer]) -> bool:
    """Whether a module can have the names of these layers."""
    with torch.device("meta"):
        try:
            RowNet(layers, Structure())
        except _Taken:
            return False
    return True


def build_row(arch: str, shapes: Shapes) -> nn.Module:
    """The network ``sequential/...`` for weights of these shapes.

    Raises:
        BadInput: ``not_a_row`` if the tensors are those of no plain row of layers, or the name does not go with them.
    """
    structure, layers = parse(arch), layers_of(shapes)
    if structure is None or layers is None:
        raise _not_a_row(arch)
    convs = sum(layer.kind == "conv" for layer in layers)
    if structure.padding not in ("same", "valid") and len(structure.padding) != convs:
        raise _not_a_row(arch)
    try:
        return RowNet(layers, structure)
    except _Taken as error:
        raise _not_a_row(arch) from error


def _not_a_row(arch: str) -> BadInput:
    return BadInput(
        "not_a_row",
        f"The network {arch!r} does not go with these weights; it must read sequential/activation/pooling/layers with "
        "a pooling/padding/end, and the weights must be a plain row of convolutions, batch norms and linear layers.",
        arch=arch,
    )


def places(layers: list[Layer]) -> tuple[set[int], dict[int, bool]]:
    """After which layers (counted from 1) an activation comes, and a pooling may (False) or must (True) come."""
    active: set[int] = set()
    pools: dict[int, bool] = {}
    acted = flat = False
    for number, (layer, following) in enumerate(itertools.pairwise(layers), 1):
        flat = flat or layer.kind == "linear"
        gap = layer.gap
        if following.kind == "norm":
            acted = bool(gap)  # convolution, activation, norm: an order that some use
            if acted:
                active.add(number)
            continue
        already = acted and layer.kind == "norm"
        acted = False
        if gap == 0:
            continue
        if not already:
            active.add(number)
        if flat:
            continue
        # within a Sequential, a linear layer comes after one more place: the flattening
        free = 1 if gap is None else gap - (not already) - (following.kind == "linear")
        if free > 0:
            pools[number] = gap is not None and free > 1
    return active, pools
