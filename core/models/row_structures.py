"""What the weights of a plain row of layers leave open: the structures worth trying, the likeliest first."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

from core.models.rows import Layer, Shapes, layers_of
from core.models.sequential import Structure, nameable, places

MAX_STRUCTURES = 12  # that are tried


def structures(shapes: Shapes, size: int) -> list[Structure]:
    """The structures that the weights leave open for pictures of ``size`` pixels, the likeliest first.

    All with ReLU and the largest value of a pooling; ``Structure.siblings`` gives the others.
    """
    layers = layers_of(shapes)
    if layers is None or len(layers) < 2 or not nameable(layers):
        return []
    first = next(i for i, layer in enumerate(layers) if layer.kind == "linear")
    if first == 0:
        square = any(layers[0].into == channels * size**2 for channels in (1, 3))
        return [Structure()] if square else []
    wide = layers[first - 1].out
    side = math.isqrt(layers[first].into // wide)
    if side**2 * wide != layers[first].into:
        return []
    _, pools = places(layers)
    exact: list[Structure] = []
    other: list[Structure] = []
    for padding in _paddings(layers):
        if padding not in ("same", "valid") and any(structure.padding in ("same", "valid") for structure in exact):
            break  # one padding for all explains the sizes: mixtures are not looked at
        for after in _subsets(pools):
            end = _side(layers[:first], padding, after, size)
            if end == side:
                exact.append(Structure(after=after, padding=padding))
            elif end > side:
                other.append(Structure(after=after, padding=padding, end="avg"))
    exact.sort(key=lambda structure: _oddness(structure, layers))
    if side > 1 and exact:
        return exact[:MAX_STRUCTURES]
    # nothing has to come out as the right size: the mean, or the largest value, of each channel is taken
    other = sorted((s for s in other if s.padding == "same"), key=lambda structure: _oddness(structure, layers))
    ends = [replace(structure, end=end) for structure in other[:4] for end in ("avg", "max")]
    return [*exact[: MAX_STRUCTURES // 2], *ends][:MAX_STRUCTURES]


def _subsets(pools: dict[int, bool]) -> Iterator[tuple[int, ...]]:
    must = [place for place, needed in pools.items() if needed]
    may = [place for place, needed in pools.items() if not needed][-10:]
    for count in range(len(may) + 1):
        for chosen in itertools.combinations(may, count):
            yield tuple(sorted([*must, *chosen]))


def _paddings(layers: list[Layer]) -> Iterator[str]:
    yield "same"
    count = sum(layer.kind == "conv" for layer in layers)
    if any(layer.kind == "conv" and max(layer.kernel) > 1 for layer in layers):
        yield "valid"
        if 2 <= count <= 6:
            yield from ("".join(p) for p in itertools.product("sv", repeat=count) if len(set(p)) > 1)


def _side(layers: list[Layer], padding: str, after: tuple[int, ...], size: int) -> int:
    """How many pixels wide the picture is after these layers; 0 if nothing is left."""
    convs = 0
    for number, layer in enumerate(layers, 1):
        if layer.kind == "conv":
            letter = padding[0] if padding in ("same", "valid") else padding[convs]
            size += 1 - layer.kernel[0] + (2 * (layer.kernel[0] // 2) if letter == "s" else 0)
            convs += 1
        if number in after:
            size //= 2
        if size < 1:
            return 0
    return size


def _oddness(structure: Structure, layers: list[Layer]) -> tuple[int, int, int]:
    """Smaller for what people usually build: one padding, poolings where the channels change, or at every place."""
    ranks = {"same": 0, "valid": 1}
    odd = 0
    for number in structure.after:
        following = layers[number]
        odd += following.kind == "conv" and following.out == layers[number - 1].out
    may = places(layers)[1]
    uneven = 0 if len(structure.after) in (0, len(may), sum(may.values())) else 1
    return ranks.get(structure.padding, 2), odd + uneven, -len(structure.after)
