"""The operators of ONNX that change shape or order of numbers only; see ``operators``."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.onnx.operators import Attributes, Inputs, Unread, one, operator, together

MOST_NUMBERS = 2**27  # of a tensor for one image
MOST_IN_A_BATCH = 1009 * MOST_NUMBERS  # for as many images as shapes are worked out for, without memory


def bounded(shape: list[int] | torch.Size, most: int = MOST_IN_A_BATCH) -> list[int]:
    """``shape``, if a tensor of it has no more than ``most`` numbers."""
    total = 1
    for side in shape:
        total *= side
        if side < 0 or total > most:
            raise Unread
    return list(shape)


@operator("Constant")
def _constant(a: Attributes, x: Inputs) -> Tensor:
    for name, kind in (("float", torch.float32), ("floats", torch.float32), ("int", torch.long), ("ints", torch.long)):
        if f"value_{name}" in a:
            return torch.tensor(a[f"value_{name}"], dtype=kind)
    raise Unread


@operator("Shape")
def _shape(a: Attributes, x: Inputs) -> Tensor:
    sides = list(x[0].shape)
    return torch.tensor(sides[a.get("start", 0) : a.get("end", len(sides))], dtype=torch.long)


@operator("Size")
def _size(a: Attributes, x: Inputs) -> Tensor:
    return torch.tensor(x[0].numel())


@operator("Reshape", values=(1,), most=2)
def _reshape(a: Attributes, x: Inputs) -> Tensor:
    value, target = x
    if target is None:
        raise Unread
    if not a.get("allowzero", 0):
        target = [value.shape[at] if side == 0 else side for at, side in enumerate(target)]
    if a.get("batch"):  # of a graph for that many images: the target is for them, and there may be others
        many, at = target[a["counted"]] * a["given"], a["counted"]
        if many % a["batch"]:
            raise Unread
        target = [*target[:at], many // a["batch"], *target[at + 1 :]]
    return value.reshape(target)


@operator("Flatten")
def _flatten(a: Attributes, x: Inputs) -> Tensor:
    axis = a.get("axis", 1)
    axis = axis + x[0].dim() if axis < 0 else axis
    rows = 1
    for side in x[0].shape[:axis]:
        rows *= side
    return x[0].reshape(rows, -1)


@operator("Transpose")
def _transpose(a: Attributes, x: Inputs) -> Tensor:
    return x[0].permute(a.get("perm") or list(reversed(range(x[0].dim()))))


@operator("Squeeze", values=(1,), most=2)
def _squeeze(a: Attributes, x: Inputs) -> Tensor:
    axes = x[1] if x[1] is not None else a.get("axes")
    if axes is None:
        axes = [at for at, side in enumerate(x[0].shape) if side == 1]
    axes = {axis % x[0].dim() for axis in axes}
    if any(x[0].shape[axis] != 1 for axis in axes):
        raise Unread
    return x[0].reshape([side for at, side in enumerate(x[0].shape) if at not in axes])


@operator("Unsqueeze", values=(1,), most=2)
def _unsqueeze(a: Attributes, x: Inputs) -> Tensor:
    axes = x[1] if x[1] is not None else a["axes"]
    axes = [axes] if isinstance(axes, int) else axes
    total = x[0].dim() + len(axes)
    for axis in sorted(axis % total for axis in axes):
        x = [x[0].unsqueeze(axis)]
    return x[0]


@operator("Concat", most=1000)
def _concat(a: Attributes, x: Inputs) -> Tensor:
    parts = together(x)
    at = a.get("counted")
    if at is not None and at != a["axis"]:  # a class token, for example, that is there for one image
        many = max(part.shape[at] for part in parts)
        parts = [
            part.expand(*part.shape[:at], many, *part.shape[at + 1 :]) if part.shape[at] == 1 else part
            for part in parts
        ]
    whole = [len(part.shape) for part in parts]
    if len(set(whole)) > 1 or sum(part.numel() for part in parts) > MOST_IN_A_BATCH:
        raise Unread
    return torch.cat(parts, a["axis"])


@operator("Split", values=(1,), most=2)
def _split(a: Attributes, x: Inputs) -> tuple[Tensor, ...]:
    axis = a.get("axis", 0)
    sizes = x[1] if x[1] is not None else a.get("split")
    if sizes is None:
        count = a.get("num_outputs") or a["outputs"]
        each = -(-x[0].shape[axis] // count)
        sizes = [each] * (count - 1) + [x[0].shape[axis] - each * (count - 1)]
    return x[0].split(sizes, axis)


@operator("Slice", values=(1, 2, 3, 4), most=5)
def _slice(a: Attributes, x: Inputs) -> Tensor:
    value, starts, ends, axes, steps = x
    starts, ends = (a[key] if given is None else given for key, given in (("starts", starts), ("ends", ends)))
    axes = axes if axes is not None else a.get("axes") or list(range(len(starts)))
    steps = steps or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        side = value.shape[axis]
        if step < 1:
            if step != -1:
                raise Unread
            first, last = (min(max(at + side if at < 0 else at, -1), side - 1) for at in (start, end))
            last = -1 if end < -side else last
            value = value.index_select(axis, torch.arange(first, last, -1, device=value.device))
        else:
            first, last = (min(max(at + side if at < 0 else at, 0), side) for at in (start, end))
            value = (
                value.index_select(axis, torch.arange(first, last, step, device=value.device))
                if step > 1
                else (value.narrow(axis, first, max(0, last - first)))
            )
    return value


@operator("Gather", values=(1,), most=2)
def _gather(a: Attributes, x: Inputs) -> Tensor:
    axis, side = a.get("axis", 0) % max(1, x[0].dim()), None
    index = torch.tensor(x[1], dtype=torch.long)
    side = x[0].shape[axis]
    index = torch.where(index < 0, index + side, index)
    if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < side:
        raise Unread
    shape = [*x[0].shape[:axis], *index.shape, *x[0].shape[axis + 1 :]]
    bounded(shape)
    return x[0].index_select(axis, index.flatten().to(x[0].device)).reshape(shape)


@operator("Expand", values=(1,), most=2)
def _expand(a: Attributes, x: Inputs) -> Tensor:
    shape = torch.broadcast_shapes(tuple(x[0].shape), tuple(x[1]))
    return x[0].expand(bounded(shape))


@operator("Tile", values=(1,), most=2)
def _tile(a: Attributes, x: Inputs) -> Tensor:
    bounded([side * times for side, times in zip(x[0].shape, x[1], strict=True)])
    return x[0].repeat(x[1])


@operator("ConstantOfShape", values=(0,))
def _constant_of_shape(a: Attributes, x: Inputs) -> Tensor:
    value = a.get("value")
    value = torch.zeros(1) if value is None else value.float() if value.is_floating_point() else value
    return value.reshape(1).expand(bounded(x[0], MOST_NUMBERS)).clone() if x[0] else value.reshape(())


@operator("Range", values=(0, 1, 2), most=3)
def _range(a: Attributes, x: Inputs) -> Tensor:
    start, end, step = map(one, x)
    if not step or (end - start) / step > MOST_NUMBERS:
        raise Unread
    return torch.arange(start, end, step)


@operator("Pad", values=(1, 2, 3), most=4)
def _pad(a: Attributes, x: Inputs) -> Tensor:
    value = x[0]
    pads = x[1] if x[1] is not None else a["pads"]
    fill = one(x[2]) if x[2] is not None else a.get("value", 0.0)
    axes = x[3] if x[3] is not None else list(range(value.dim()))
    mode = a.get("mode", "constant")
    around = [(0, 0)] * value.dim()
    for at, axis in enumerate(axes):
        around[axis % value.dim()] = (pads[at], pads[at + len(axes)])
    bounded([side + before + after for side, (before, after) in zip(value.shape, around, strict=True)])
    flat: list[Any] = [amount for pair in reversed(around) for amount in pair]
    if mode == "constant":
        return F.pad(value, flat, value=fill)
    if mode not in ("reflect", "edge") or any(flat[4:]) or value.dim() != 4:
        raise Unread
    return F.pad(value, flat[:4], mode="reflect" if mode == "reflect" else "replicate")


@operator("DepthToSpace")
def _depth_to_space(a: Attributes, x: Inputs) -> Tensor:
    n, c, h, w = x[0].shape
    block = a["blocksize"]
    if a.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x[0], block)
    parts = x[0].reshape(n, block, block, c // block**2, h, w)
    return parts.permute(0, 3, 4, 1, 5, 2).reshape(n, c // block**2, h * block, w * block)
