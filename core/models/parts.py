"""The tensors of a network as parts: what belongs to one module together, told by shape, whatever its name.

A part is a layer's weight, bias and statistics, or one parameter that stands alone (a class token, a layer scale).
Dimensions of one are left out, so that a 1x1 convolution and a linear layer on pooled features are alike.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from core.models.library import first_convolution

if TYPE_CHECKING:
    from core.models.index import Shapes

# what other frameworks call the tensors of a layer
_LEAVES = {
    "weight": "weight", "bias": "bias", "running_mean": "running_mean", "running_var": "running_var",
    "moving_mean": "running_mean", "moving_variance": "running_var", "moving_var": "running_var",
    "num_batches_tracked": "counter",
}  # fmt: skip
_PAIR = {"gamma": "weight", "beta": "bias"}  # of a normalisation, where both are there; else gamma is a layer scale
_IN = re.compile(r"(.*in_proj)_(weight|bias)")  # torch.nn.MultiheadAttention
_MOST_CLASSES = 100_000
_MOST_PARTS, _MOST_TRIED = 5000, 500

Kind = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, eq=False)  # one is itself: it is a key
class Part:
    """What belongs together.

    Attributes:
    path: of the module, or the name of a parameter that stands alone.
    at: place in the order of the file or network.
    tensors: the names, by what they are ("weight", "bias", "running_mean", "running_var", "counter", "").
    kind: what they are and their shapes without dimensions of one; the counter does not count.
    """

    path: str
    at: int
    tensors: Mapping[str, str]
    kind: Kind

    @property
    def role(self) -> str:
        """The path without its numbers: what the parts of repeated blocks share."""
        return re.sub(r"\d+", "#", self.path)

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(int(number) for number in re.findall(r"\d+", self.path))


def parts_of(shapes: Shapes) -> list[Part]:
    """The parts in the order in which their first tensors stand."""
    together: dict[str, dict[str, str]] = {}
    for name in shapes:
        path, leaf = _place(name, shapes)
        together.setdefault(path, {})[leaf] = name
    parts = []
    for at, (path, tensors) in enumerate(together.items()):
        kind = tuple(sorted((leaf, _squeezed(shapes[name])) for leaf, name in tensors.items() if leaf != "counter"))
        if kind:
            parts.append(Part(path, at, tensors, kind))
    return parts


def _place(name: str, shapes: Shapes) -> tuple[str, str]:
    if inside := _IN.fullmatch(name):
        return inside[1], inside[2]
    path, _, leaf = name.rpartition(".")
    other = {"gamma": "beta", "beta": "gamma"}.get(leaf)
    if other and (f"{path}.{other}" if path else other) in shapes:
        return path, _PAIR[leaf]
    return (path, _LEAVES[leaf]) if leaf in _LEAVES else (name, "")


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _hash(parts: Sequence[Part], stem: Part | None, head: Part) -> str:
    """Of all kinds, but for the classes of the head and for channels and kernel of the first convolution."""
    lines = [str(part.kind) for part in parts if part is not stem and part is not head]
    features = dict(head.kind)["weight"][-1]
    lines.append(f"head {features} {len(head.kind)}")
    if stem is not None:
        lines.append(f"stem {dict(stem.kind)['weight'][0]} {len(stem.kind)}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12]


def structure_of(net: nn.Module, head: nn.Linear) -> str:
    """A hash that all networks of the same shapes share, whatever their names, classes and input."""
    parts = parts_of({name: tuple(value.shape) for name, value in net.state_dict().items()})
    paths = dict(net.named_modules())
    first = first_convolution(net)
    stem = next((part for part in parts if first is not None and part.path == first[0]), None)
    return _hash(parts, stem, next(part for part in parts if paths.get(part.path) is head))


def structures_in(shapes: Shapes) -> Iterator[tuple[str, int, Sequence[int] | None]]:
    """Hashes that the tensors of a file may have, with the classes and the first convolution's shape that go with each.

    What is head and what is the first convolution is not known of a file, so each shape that may be one is tried.
    """
    parts = parts_of(shapes)
    heads = {part.kind: part for part in parts if _may_be_head(part)}
    stems = _stems(parts, shapes, _MOST_TRIED // max(1, len(heads)))
    if len(parts) > _MOST_PARTS or len(heads) * len(stems) > _MOST_TRIED:
        return  # no network that is known is so; a hostile file would be hashed for hours
    for stem in stems:
        shape = None if stem is None else shapes[stem.tensors["weight"]]
        for head in heads.values():
            if head is not stem:
                yield _hash(parts, stem, head), dict(head.kind)["weight"][0], shape


def _may_be_head(part: Part) -> bool:
    shape = dict(part.kind).get("weight", ())
    return len(shape) == 2 and 2 <= shape[0] <= _MOST_CLASSES and {leaf for leaf, _ in part.kind} <= {"weight", "bias"}


def _stems(parts: Sequence[Part], shapes: Shapes, most: int) -> list[Part | None]:
    """Convolutions that may see the picture; None where there is no convolution at all.

    Those made for three channels; where there are none, those for one or four, of which many are depthwise, and then
    all others, unless they are more than ``most``: some networks put pixels into channels first (TResNet).
    """
    weights = [(part, shapes[part.tensors["weight"]]) for part in parts if "weight" in part.tensors]
    pictures = [(part, shape[1]) for part, shape in weights if len(shape) == 4]
    if not pictures:
        return [None]
    first = {part.kind: part for part, count in reversed(pictures) if count == 3}
    if first:
        return list(first.values())
    first = {part.kind: part for part, count in reversed(pictures) if count in (1, 4)}
    others = {part.kind: part for part, count in reversed(pictures) if part.kind not in first}
    return [*first.values(), *(others.values() if len(first) + len(others) <= most else ())]


def same_parts(file: Sequence[Part], net: Sequence[Part]) -> bool:
    return Counter(part.kind for part in file) == Counter(part.kind for part in net)
