"""ONNX operators whose window slides over height and width, and the padding of such windows."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.onnx.operators import Attributes, Inputs, Unread, operator


def same_padding(a: Attributes, size: tuple[int, ...], kernel: list[int]) -> list[int]:
    """Pixels of padding for a window that slides over height and width: top, left, bottom, right."""
    auto = a.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        pads = a.get("pads") or [0, 0, 0, 0]
    elif auto == "VALID":
        pads = [0, 0, 0, 0]
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        strides, dilations = a.get("strides") or [1, 1], a.get("dilations") or [1, 1]
        begin, end = [], []
        for side, window, stride, dilation in zip(size, kernel, strides, dilations, strict=True):
            total = max(0, (math.ceil(side / stride) - 1) * stride + (window - 1) * dilation + 1 - side)
            small, large = total // 2, total - total // 2
            begin.append(small if auto == "SAME_UPPER" else large)
            end.append(large if auto == "SAME_UPPER" else small)
        pads = [*begin, *end]
    else:
        raise Unread
    if len(pads) != 4 or min(pads) < 0:
        raise Unread
    return pads


def padded(x: Tensor, pads: list[int], value: float = 0.0) -> Tensor:
    top, left, bottom, right = pads
    return F.pad(x, (left, right, top, bottom), value=value) if any(pads) else x


def _window(a: Attributes, x: Tensor) -> tuple[list[int], list[int], list[int]]:
    """Kernel, strides and pads of a pooling."""
    kernel = a.get("kernel_shape")
    if x.dim() != 4 or not kernel or len(kernel) != 2:
        raise Unread
    return kernel, a.get("strides") or [1, 1], same_padding(a, tuple(x.shape[2:]), kernel)


@operator("MaxPool")
def _max_pool(a: Attributes, x: Inputs) -> Tensor:
    kernel, strides, pads = _window(a, x[0])
    ceil, dilations = bool(a.get("ceil_mode", 0)), a.get("dilations") or [1, 1]
    if pads[:2] == pads[2:] and all(2 * pad <= side for pad, side in zip(pads, kernel, strict=False)):
        return F.max_pool2d(x[0], kernel, strides, pads[:2], dilations, ceil)
    return F.max_pool2d(padded(x[0], pads, -math.inf), kernel, strides, 0, dilations, ceil)


@operator("AveragePool")
def _average_pool(a: Attributes, x: Inputs) -> Tensor:
    kernel, strides, pads = _window(a, x[0])
    ceil, counted = bool(a.get("ceil_mode", 0)), bool(a.get("count_include_pad", 0))
    if any(side != 1 for side in a.get("dilations") or [1, 1]):
        raise Unread
    if pads[:2] == pads[2:] and all(2 * pad <= side for pad, side in zip(pads, kernel, strict=False)):
        return F.avg_pool2d(x[0], kernel, strides, pads[:2], ceil, counted)
    mean = F.avg_pool2d(padded(x[0], pads), kernel, strides, 0, ceil)
    if counted:
        return mean
    within = padded(torch.ones_like(x[0][:1, :1]), pads)  # the share of each window that lies in the picture
    return mean / F.avg_pool2d(within, kernel, strides, 0, ceil)
