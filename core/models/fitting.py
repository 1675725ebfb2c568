"""Whether weights fit a network in name and shape, under the names that people give their tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from core.errors import BadInput
from core.found import Found
from core.models.index import COUNTERS, HEADS, Shapes, canonical
from core.models.weights import Weights


def shapes_of(weights: Weights) -> Shapes:
    return {name: tuple(value.shape) for name, value in weights.tensors.items()}


def fitted(weights: Weights, net: nn.Module) -> Weights | None:
    """The weights under the network's own names, if they fit it in name and shape; None if not.

    Counters of batch norm may be missing; head and shortcuts may have another usual name.

    Raises:
        BadInput: ``weights_whole_numbers``: all would fit, but for what could not be written back as it came.
    """
    fit = _named_alike(weights, net)
    if fit is not None:
        for name, value in net.state_dict().items():
            if value.is_floating_point() and name in fit.tensors and not fit.tensors[name].is_floating_point():
                raise whole_numbers(name)
    return fit


def whole_numbers(name: str) -> BadInput:
    return BadInput(
        "weights_whole_numbers",
        f"The tensor {name} holds whole numbers where the network computes with fractions, as quantised weights do; "
        "give the weights as floating-point numbers.",
        name=name,
    )


def _named_alike(weights: Weights, net: nn.Module) -> Weights | None:
    wanted = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    given = shapes_of(weights)
    if _agree(wanted, given):
        return weights
    ours = {canonical(name): name for name in wanted}
    renamed = {ours.get(canonical(name), name): name for name in given}
    unique = len(renamed) == len(given) and len(ours) == len(wanted)
    if unique and _agree(wanted, {new: given[old] for new, old in renamed.items()}):
        return weights.renamed(renamed)
    return None


def shortened(weights: Weights) -> Weights | None:
    """The weights without the first word of their names, if all share one; None if they do not."""
    firsts = {name.split(".")[0] for name in weights.tensors}
    if len(firsts) != 1 or any(name.count(".") < 2 for name in weights.tensors):
        return None
    word = f"{firsts.pop()}."
    tensors = {name.removeprefix(word): value for name, value in weights.tensors.items()}
    found = Found("prefix", f"Every name began with {word}, and will again.", {"prefix": word})
    return replace(weights, tensors=tensors, prefix=weights.prefix + word, found=(*weights.found, found))


def plain_head(weights: Weights) -> Weights | None:
    """The weights with ``fc.1.weight`` as ``fc.weight``: a head within a ``Sequential``, after a dropout.

    None if there is no head, or one of several layers.
    """
    for head in HEADS:
        inside = [name for name in weights.tensors if name.startswith(f"{head}.")]
        found = re.fullmatch(rf"({head}\.\d+)\.weight", inside[0]) if inside else None
        if found and weights.tensors[inside[0]].dim() == 2 and set(inside[1:]) <= {f"{found[1]}.bias"}:
            shorter = {name: name.replace(found[1], head, 1) if name in inside else name for name in weights.tensors}
            return weights.renamed({new: old for old, new in shorter.items()})
    return None


def _agree(wanted: Mapping[str, tuple[int, ...]], given: Shapes) -> bool:
    missing = wanted.keys() - given.keys()
    return all(name.endswith(COUNTERS) for name in missing) and all(
        wanted.get(name) == tuple(shape) for name, shape in given.items()
    )
