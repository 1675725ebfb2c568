"""A known network whose head was replaced by two linear layers, as in transfer learning.

The file does not tell the activation between the two. ReLU is assumed, as in nearly all code, and that is reported.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from core.found import Found
from core.models.classifier import last_linear
from core.models.index import HEADS

if TYPE_CHECKING:
    from core.models.identify import Candidate
    from core.models.weights import Weights


@dataclass(frozen=True)
class DoubleHead:
    """``weights``: as given. ``outer``: the same with one layer in the place of the two, called ``name`` and without
    numbers, to find the network by. ``path``: what the names of the two layers begin with; ``places``: their numbers
    after it."""

    weights: Weights
    outer: Weights
    path: str
    name: str
    places: tuple[str, str]

    def grown(self, candidate: Candidate, net: nn.Module) -> Candidate:
        """``candidate``, a network for ``outer``, with two layers for a head. ``net``: a fresh one of its kind."""
        head = last_linear(net)
        place = next(path for path, module in net.named_modules() if module is head)
        first, second = (self._layer(number) for number in self.places)
        between = str(int(self.places[0]) + 1)
        layers = OrderedDict([(self.places[0], first), (between, nn.ReLU()), (self.places[1], second)])
        parent, _, last = place.rpartition(".")
        setattr(net.get_submodule(parent), last, nn.Sequential(layers))
        names = {}
        for new in candidate.weights.tensors:
            old = candidate.weights.names.get(new, new)
            if not old.startswith(f"{self.name}.") or old in self.weights.tensors:
                names[new] = old
        names |= {
            f"{place}{old.removeprefix(self.path)}": old
            for old in self.weights.tensors
            if old.startswith(f"{self.path}.")
        }
        text = (
            f"The head {self.path} is two linear layers; between them ReLU was taken, since a file of weights does not "
            "say."
        )
        weights = self.weights.renamed(names)
        found = (*candidate.found, Found("double_head", text, {"name": self.path}))
        return replace(candidate, weights=weights, made=net, found=found)

    def _layer(self, number: str) -> nn.Linear:
        out, into = self.weights.tensors[f"{self.path}.{number}.weight"].shape
        return nn.Linear(into, out, bias=f"{self.path}.{number}.bias" in self.weights.tensors)


def double_heads(weights: Weights) -> Iterator[DoubleHead]:
    """Readings of a head of two linear layers and nothing else with weights; none if there is no such head."""
    for head in HEADS:
        inside = [name for name in weights.tensors if name.startswith(f"{head}.")]
        found = [re.fullmatch(rf"({head}(?:\.\d+)?)\.(\d+)\.(?:weight|bias)", name) for name in inside]
        if not found or None in found or len({match[1] for match in found if match}) != 1:
            continue
        path = next(match[1] for match in found if match)
        places = sorted({match[2] for match in found if match}, key=int)
        layers = [weights.tensors.get(f"{path}.{place}.weight") for place in places]
        if len(places) != 2 or int(places[1]) - int(places[0]) < 2 or weights.names:
            continue
        first, second = layers
        if first is None or second is None or first.dim() != 2 or second.dim() != 2:
            continue
        if first.shape[0] != second.shape[1]:
            continue
        for name in dict.fromkeys((path, head, f"{head}.1")):
            one = {
                f"{name}.weight": torch.empty(second.shape[0], first.shape[1], device="meta"),
                f"{name}.bias": torch.empty(second.shape[0], device="meta"),
            }
            rest = {old: value for old, value in weights.tensors.items() if old not in inside}
            yield DoubleHead(weights, replace(weights, tensors={**rest, **one}), path, name, (places[0], places[1]))
