"""Networks under other names: told by the shapes of their parts, and mapped to the names of one that is known.

A file of somebody's own code for ResNet-50 has the same tensors as torchvision's, called otherwise. Which is which is
worked out by shape and role (``core.models.matching``). Where that leaves several mappings, each is a candidate of its
own, called ``<network>~<mark>``, and the clean images decide (``core.models.undecided``). Everything is handed back
under the names that it came in with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from core.errors import BadInput
from core.found import Found
from core.models import LIBRARIES, build, vit
from core.models.fitting import fitted, shapes_of
from core.models.identify import READ, Candidate, channels_for, stems_for
from core.models.index import Shapes, named_alike
from core.models.library import first_convolution, without_memory
from core.models.matching import Mapping as Pairs
from core.models.matching import mappings
from core.models.parts import parts_of, same_parts, structures_in
from core.models.rewrites import TakenApart, readings
from core.models.weights import Weights

MAX_WAYS = 12  # mappings of one network that are tried; where there are more, it is not for us to choose
_STACKED = (
    ("query", "key", "value"), ("q", "k", "v"), ("q_proj", "k_proj", "v_proj"), ("to_q", "to_k", "to_v"),
    ("wq", "wk", "wv"), ("q_lin", "k_lin", "v_lin"), ("queries", "keys", "values"),
    ("linear_q", "linear_k", "linear_v"),
)  # fmt: skip


@dataclass(frozen=True)
class Stacked(TakenApart):
    """Queries, keys and values of an attention, which the network has above one another in one tensor."""

    def joined(self) -> Tensor:
        return torch.cat(list(self.parts.values()))

    def apart(self, value: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.parts, value.split([len(part) for part in self.parts.values()]), strict=True))


@dataclass(frozen=True)
class Reshaped(TakenApart):
    """The same numbers with dimensions of one more or fewer. ``inner``: if it was put together before."""

    shape: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    inner: TakenApart | None = None

    def joined(self) -> Tensor:
        whole = self.inner.joined() if self.inner else next(iter(self.parts.values()))
        return whole.reshape(self.shape)

    def apart(self, value: Tensor) -> dict[str, Tensor]:
        value = value.reshape(self.before)
        return self.inner.apart(value) if self.inner else {next(iter(self.parts)): value}


def look_alikes(weights: Weights, arch: str | None = None, classes: int = 0) -> list[Candidate]:
    """Networks that have these tensors under other names.

    Args:
        weights: as read.
        arch: only this network, with ``classes``; with ``~`` and the mark of a mapping, this mapping alone if there is
            such a one.

    Raises:
        BadInput: ``look_alike_ambiguous``: more mappings than can be told apart.
    """
    name, _, mark = (arch or "").partition("~")
    for reading in (weights, *readings(weights)):
        for variant in (reading, stacked(reading)):
            if variant is None:
                continue
            found = [alike for option in _options(variant, name, classes) for alike in _mapped(variant, *option)]
            if found:
                marked = [candidate for candidate in found if mark and candidate.arch.endswith(f"~{mark}")]
                return marked or found
    return []


def stacked(weights: Weights) -> Weights | None:
    """The weights with queries, keys and values of each attention in one tensor; None if there are none."""
    apart: dict[str, TakenApart] = {}
    for name in weights.tensors:
        words = name.split(".")
        for first, second, third in _STACKED:
            if words.count(first) != 1 or name in weights.apart:
                continue
            at = words.index(first)
            names = [".".join([*words[:at], word, *words[at + 1 :]]) for word in (first, second, third)]
            parts = {part: weights.tensors[part] for part in names if part in weights.tensors}
            whole = ".".join([*words[:at], "qkv", *words[at + 1 :]])
            if len(parts) == 3 and whole not in weights.tensors and len({part.shape for part in parts.values()}) == 1:
                apart[whole] = Stacked("stacked", parts)
    if not apart:
        return None
    used = {part: whole for whole, taken in apart.items() for part in taken.parts}
    tensors: dict[str, Tensor] = {}
    for name, value in weights.tensors.items():
        if name not in used:
            tensors[name] = value
        elif used[name] not in tensors:
            tensors[used[name]] = apart[used[name]].joined()
    text = (
        f"Queries, keys and values of attention stand apart in the file ({len(apart)} times); they were put together."
    )
    found = Found("stacked", text, {"count": len(apart)})
    return replace(weights, tensors=tensors, apart={**weights.apart, **apart}, found=(*weights.found, found))


def probe(arch: str, classes: int, channels: int) -> nn.Module | None:
    """The network with shapes and no numbers; None where the installed version has none, or it cannot be so made."""
    try:
        if arch.partition("/")[0] in LIBRARIES:
            return without_memory(arch, classes, channels)
        with torch.device("meta"):
            return build(arch, classes, channels)
    except (BadInput, RuntimeError, ValueError, TypeError, AttributeError):
        return None


def _options(weights: Weights, arch: str, classes: int) -> Iterator[tuple[str, int, int]]:
    """Names, classes and channels of networks that may have these parts."""
    shapes = shapes_of(weights)
    if arch:
        yield from ((arch, classes, channels) for channels in (3, 1))
        return
    for hashed, count, stem in structures_in(shapes):
        for name in named_alike(hashed):
            net = probe(name, count, 3)
            first = None if net is None else first_convolution(net)
            channels = 3 if first is None or stem is None else channels_for(first[1], stem)
            if channels not in READ:
                continue
            own = [""] if first is None or stem is None or "/" not in name else stems_for(first[1], stem)
            yield from ((name + more, count, channels) for more in own)
    yield from vit.options(shapes)


def _mapped(weights: Weights, arch: str, classes: int, channels: int) -> Iterator[Candidate]:
    net = probe(arch, classes, channels)
    if net is None:
        return
    wanted = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    file, ours = parts_of(shapes_of(weights)), parts_of(wanted)
    if not same_parts(file, ours):
        return
    found = mappings(file, ours, MAX_WAYS + 1)
    if len(found) > MAX_WAYS:
        raise BadInput(
            "look_alike_ambiguous",
            f"The weights have the shapes of {arch} under other names, but more than {MAX_WAYS} ways to give each "
            "tensor its place are possible, so none is chosen. Export the network as ONNX (torch.onnx.export), which "
            "carries its structure, rename the tensors as there, or give your own class with --model-class "
            "FILE.py:CLASS.",
            arch=arch, most=MAX_WAYS,
        )  # fmt: skip
    for pairs in found:
        renamed = _renamed(weights, wanted, pairs)
        fit = None if renamed is None else fitted(renamed, net)
        if fit is None:
            continue
        called = arch if len(found) == 1 else f"{arch}~{_mark(pairs)}"
        yield Candidate(called, classes, channels, fit, (_told(fit, arch, len(found)),), size=vit.size_of(arch))


def _renamed(weights: Weights, wanted: Shapes, pairs: Pairs) -> Weights | None:
    """The weights by the network's names and in its shapes."""
    names: dict[str, str] = {}
    for theirs, ours in pairs:
        for leaf, old in theirs.tensors.items():
            if leaf in ours.tensors:
                names[ours.tensors[leaf]] = old
    if len(names) != len(weights.tensors):
        return None
    tensors, apart = dict(weights.tensors), dict(weights.apart)
    for new, old in names.items():
        before, after = tuple(tensors[old].shape), tuple(wanted[new])
        if before != after:
            place = weights.names.get(old, old)
            inner = apart.get(place)
            parts = inner.parts if inner else {place: tensors[old]}
            apart[place] = Reshaped("reshaped", parts, after, before, inner)
            tensors[old] = tensors[old].reshape(after)
    renamed = replace(weights, tensors=tensors, apart=apart).renamed(names)
    return replace(renamed, told=renamed.names)


def _mark(pairs: Pairs) -> str:
    """Four letters that stand for a mapping, the same in whatever order the file has its tensors."""
    lines = sorted(f"{ours.path} {theirs.path}" for theirs, ours in pairs)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:4]


def _told(weights: Weights, arch: str, ways: int) -> Found:
    names = weights.names_in_network()
    old, new = next(((old, new) for old, new in names.items() if old != new), ("", ""))
    text = (
        f"By shape these are the {len(names)} tensors of {arch} under other names ({old} is {new} there); they are "
        "handed back under their own."
    )
    return Found("look_alike", text, {"arch": arch, "old": old, "new": new, "count": len(names), "ways": ways})
