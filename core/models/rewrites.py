"""Other readings of a file of weights, where no network has its tensors as they stand.

Training frameworks leave marks on a checkpoint: wrappers in the middle of names, tensors of losses and metrics beside
the network, a scaling layer around it, copies that average it, weights taken apart. Each reading puts one or more of
these away, says so, and can be written back as the file has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.found import Found
from core.models.unwrap import AVERAGED

if TYPE_CHECKING:
    from core.models.weights import Weights

WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
BESIDE = ("criterion", "loss", "metric", "acc", "auroc", "f1", "confmat", "train_", "val_", "valid_", "test_")
_ALSO_BESIDE = ("loss", "criterion", "metric")  # anywhere in the first word
MEANS = {"mean": "std", "new_mean": "new_std", "pixel_mean": "pixel_std", "image_mean": "image_std", "mu": "sigma"}
_MOST_GROUPS = 4
_SHOWN = 6  # names in a sentence


@dataclass(frozen=True)
class TakenApart:
    """A weight that the file has in parts. ``kind``: "pruned", original and mask; "norm", length and direction; or
    "spectral", original and the two vectors by which its largest singular value is taken (``torch.nn.utils``).
    ``parts``: their names in the file, with their values there."""

    kind: str
    parts: Mapping[str, Tensor]

    def joined(self) -> Tensor:
        if self.kind == "spectral":
            original, left, right = self.parts.values()
            return original / _singular(original, left, right)
        first, second = self.parts.values()
        if self.kind == "pruned":
            return first * second
        return second * (first / _length(second, first.shape)).nan_to_num(0.0)

    def apart(self, value: Tensor) -> dict[str, Tensor]:
        """Parts that together are ``value``: what the mask hides stays hidden, unless it is no longer zero.

        The first vector of a spectral norm is made as long as it takes for the division by the singular value to
        leave ``value`` as it is; torch gives it the length 1 again as soon as it is trained on.
        """
        if self.kind == "spectral":
            (first, old), (second, left), (third, right) = self.parts.items()
            new, vector = value.to(old.dtype), left / _singular(value.to(old.dtype), left, right)
            return {first: new, second: vector, third: right}
        (first, old), (second, mask) = self.parts.items()
        if self.kind == "pruned":
            return {first: value, second: torch.where(value == 0, mask.to(value.dtype), 1).to(mask.dtype)}
        return {first: _length(value, old.shape), second: value}


def _singular(weight: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """What ``torch.nn.utils.spectral_norm`` divides a weight by, in evaluation mode."""
    return torch.dot(left, weight.flatten(1) @ right)


def _length(value: Tensor, shape: torch.Size) -> Tensor:
    """The norm over all dimensions but those that ``shape`` keeps."""
    over = [at for at, size in enumerate(shape) if size == 1] if len(shape) == value.dim() else None
    if over == []:
        return value.abs()
    return torch.linalg.vector_norm(value, dim=over, keepdim=over is not None)


def readings(weights: Weights) -> Iterator[Weights]:
    """Other readings of the weights, the likeliest first; none that is the same as they stand."""
    for reading in _readings(weights):
        yield replace(reading, told=reading.names)


def _readings(weights: Weights) -> Iterator[Weights]:
    plain = _without_wrappers(_joined(weights))
    if plain is not weights:
        yield plain
    copies = _flat_copies(plain.tensors)
    kept = [name for name in plain.tensors if not _is_beside(name) and name not in copies]
    trained = [name for name in kept if not _is_buffer(name, plain.tensors[name])]
    for names in dict.fromkeys((tuple(kept), tuple(trained))):
        if names and len(names) < len(plain.tensors):
            yield _apart(plain, {name: name for name in names})
    for group in _groups(plain):
        yield _apart(plain, {name.removeprefix(group): name for name in plain.tensors if name.startswith(group)})


def _without_wrappers(weights: Weights) -> Weights:
    names = {".".join(part for part in name.split(".") if part not in WRAPPERS): name for name in weights.tensors}
    met = sorted({part for name in weights.tensors for part in name.split(".") if part in WRAPPERS})
    if not met or len(names) < len(weights.tensors):
        return weights
    what = ", ".join(met)
    found = Found("inner_wrapper", f"Within the names was {what}, and will be again.", {"what": what})
    return replace(weights.renamed(names), found=(*weights.found, found))


def _joined(weights: Weights) -> Weights:
    """The weights with those put together that the file has in parts."""
    apart = dict(_spectral(weights))
    for name in weights.tensors:
        for kind, first, second, whole in (
            ("pruned", "_orig", "_mask", _ending("_orig")),
            ("norm", "_g", "_v", _ending("_g")),
            ("norm", "original0", "original1", _parametrised),
        ):
            other = name.removesuffix(first) + second
            if name.endswith(first) and other in weights.tensors and (joined := whole(name)):
                parts = {part: weights.tensors[part] for part in (name, other)}
                if _go_together(kind, *parts.values()):
                    apart[joined] = TakenApart(kind, parts)
    if not apart or any(name in weights.tensors for name in apart):
        return weights
    used = {part for taken in apart.values() for part in taken.parts}
    first_part = {next(iter(taken.parts)): name for name, taken in apart.items()}
    tensors: dict[str, Tensor] = {}
    for name, value in weights.tensors.items():
        if name in first_part:
            tensors[first_part[name]] = apart[first_part[name]].joined()
        elif name not in used:
            tensors[name] = value
    kinds = "pruned, length and direction, or under a spectral norm"
    text = f"{len(apart)} weights are in parts ({kinds}): they were put together."
    found = Found("taken_apart", text, {"count": len(apart)})
    return replace(weights, tensors=tensors, apart=apart, found=(*weights.found, found))


def _spectral(weights: Weights) -> Iterator[tuple[str, TakenApart]]:
    """Weights under a spectral norm, as torch writes them now, and as it did before."""
    for name, value in weights.tensors.items():
        whole = _parametrised(name)
        if name.endswith(".original") and whole:
            vectors = [f"{name.removesuffix('original')}0.{vector}" for vector in ("_u", "_v")]
        elif name.endswith("_orig"):
            whole = name.removesuffix("_orig")
            vectors = [f"{whole}{vector}" for vector in ("_u", "_v")]
        else:
            continue
        left, right = (weights.tensors.get(vector) for vector in vectors)
        if left is None or right is None or value.dim() < 2 or not value.is_floating_point():
            continue
        alike = left.dtype == right.dtype == value.dtype and left.shape == value.shape[:1]
        if alike and right.shape == value[0].flatten().shape and bool(_singular(value, left, right) != 0):
            yield whole, TakenApart("spectral", {part: weights.tensors[part] for part in (name, *vectors)})


def _go_together(kind: str, first: Tensor, second: Tensor) -> bool:
    if not (first.is_floating_point() and second.is_floating_point()):
        return False
    if kind == "pruned":
        return first.shape == second.shape
    return first.dim() in (0, second.dim()) and all(
        a in (1, b) for a, b in zip(first.shape, second.shape, strict=False)
    )


def _ending(ending: str) -> Callable[[str], str]:
    return lambda name: name.removesuffix(ending)


def _parametrised(name: str) -> str:
    """``conv.weight`` of ``conv.parametrizations.weight.original0``; "" of another name."""
    path = name.split(".")
    return ".".join([*path[:-3], path[-2]]) if path[-3:-2] == ["parametrizations"] else ""


def _is_beside(name: str) -> bool:
    first = name.split(".")[0].lower()
    beside = first.startswith(BESIDE) or any(word in first for word in _ALSO_BESIDE)
    return beside or name in MEANS or name in MEANS.values()


def _is_buffer(name: str, value: Tensor) -> bool:
    """Whether a network works a tensor out when it is made: places, indices, and masks (in files of Swin's authors)."""
    leaf = name.rpartition(".")[2]
    whole = not value.is_floating_point() and leaf not in ("weight", "num_batches_tracked")
    return whole or leaf == "attn_mask"


def _flat_copies(names: Iterable[str]) -> set[str]:
    """An average as MMCV's hook keeps it: "ema_conv_weight" beside "conv.weight"."""
    given = set(names)
    return given & {f"ema_{name.replace('.', '_')}" for name in given}


def _groups(weights: Weights) -> list[str]:
    """What the names of a network's tensors may begin with: the plain ones first, then those of moving averages."""
    counts = Counter(name.split(".")[0] for name in weights.tensors if "." in name)
    layers = {name.split(".")[0] for name, value in weights.tensors.items() if value.dim() >= 2}
    groups = [group for group, count in counts.most_common() if group in layers and count < len(weights.tensors)]
    groups.sort(key=lambda group: group in AVERAGED)
    return [f"{group}." for group in groups[:_MOST_GROUPS]]


def _apart(weights: Weights, names: dict[str, str]) -> Weights:
    """The tensors of ``names`` alone, by new names; the others are set aside and go out as they came."""
    used = set(names.values())
    inside = replace(weights, tensors={name: weights.tensors[name] for name in names.values()}).renamed(names)
    others = {name: value for name, value in weights.tensors.items() if name not in used}
    in_file: dict[str, Tensor] = {}
    for name, value in others.items():
        place = weights.names.get(name, name)
        taken = weights.apart.get(place)
        parts = taken.parts if taken else {place: value}
        in_file |= {weights.prefix + part: tensor for part, tensor in parts.items()}
    in_file |= _second(inside.tensors, in_file)
    own = set(map(place_of, inside.tensors.values()))
    again = {name for name, value in in_file.items() if place_of(value) in own}
    places = set(inside.names.values())
    apart = {place: taken for place, taken in weights.apart.items() if place in places}
    return replace(
        inside, aside={**weights.aside, **in_file}, apart=apart, scaling=_scaling(others) or weights.scaling,
        found=(*weights.found, *_told(names, in_file, others, again)),
    )  # fmt: skip


def _second(own: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The whole network under a second prefix with equal numbers, as its own tensors: safetensors stores both apart.
    A moving average is none, even where it has not yet moved."""
    first = next(iter(own))
    found: dict[str, Tensor] = {}
    for prefix in [name.removesuffix(first) for name in others if name.endswith(f".{first}")]:
        copy = {prefix + name: value for name, value in own.items()}
        if set(prefix.split(".")).isdisjoint(AVERAGED) and all(
            name in others and others[name].dtype == value.dtype and torch.equal(others[name], value)
            for name, value in copy.items()
        ):
            found |= copy
    return found


def place_of(value: Tensor) -> tuple[object, ...]:
    """What two tensors have in common that are one: the same numbers in memory."""
    return (value.data_ptr() or id(value), value.dtype, value.shape, value.stride())


def _told(
    names: dict[str, str], in_file: Mapping[str, Tensor], others: Mapping[str, Tensor], again: set[str]
) -> Iterator[Found]:
    """``again``: those of ``in_file`` that are the network's own under a second name."""
    first_new, first_old = next(iter(names.items()))
    prefix = first_old.removesuffix(first_new)
    if prefix:
        yield Found("inside", f"The network is what stands under {prefix} in the file.", {"prefix": prefix})
    if again:
        text = f"{len(again)} tensors are in the file a second time, under another name; both are changed."
        yield Found("again", text, {"count": len(again)})
    left = [name for name in in_file if name not in again]
    if not left:
        return
    what = ", ".join(left[:_SHOWN]) + (", ..." if len(left) > _SHOWN else "")
    text = f"{len(left)} tensors beside the network were left as they came: {what}."
    yield Found("aside", text, {"count": len(left), "what": what})
    copies = sorted({name.split(".")[0] for name in others if name.split(".")[0] in AVERAGED})
    copies += ["ema_..."] if _flat_copies([*names.values(), *others]) else []
    if copies:
        key = ", ".join(copies)
        text = f"The copy {key} in the file is not purified: use the network's own weights."
        yield Found("copy_aside", text, {"key": key})
    if _scaling(others):
        yield Found("scaling_inside", "The input scaling is a layer in the file; it was read from there.")


def _scaling(others: Mapping[str, Tensor]) -> str:
    """The input scaling in numbers, as ``--normalize`` takes it, if a layer of that kind is among these; else ""."""
    for name, mean in others.items():
        path, _, leaf = name.rpartition(".")
        std = others.get(f"{path}.{MEANS[leaf]}" if path else MEANS[leaf]) if leaf in MEANS else None
        if std is None or mean.numel() not in (1, 3) or std.numel() != mean.numel():
            continue
        scale = 255.0 if float(mean.max()) > 1.5 else 1.0
        values = [[round(float(value) / scale, 6) for value in part.flatten()] for part in (mean, std)]
        if min(values[0]) >= 0 and min(values[1]) > 0:
            return "/".join(",".join(f"{value:.6f}" for value in part) for part in values)
    return ""
