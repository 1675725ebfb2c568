"""The operators of ONNX in torch, each as the file's version (opset) defines it.

``OPERATORS[name]`` takes the attributes (with ``opset`` among them) and the inputs. Inputs at the positions
``Operator.values`` are plain lists of numbers, since shapes depend on them. All others are tensors; None if one is left
out. (ONNX, "Operator Schemas".) ``pooling`` and ``shaping`` register further operators.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Inputs = list[Any]
Attributes = dict[str, Any]


class Unread(Exception):
    """The operator is used in a way that is not supported."""


@dataclass(frozen=True)
class Operator:
    """``run``: computes it. ``values``: positions of inputs that must be numbers. ``most``: number of inputs at
    most."""

    run: Callable[[Attributes, Inputs], Any]
    values: tuple[int, ...] = ()
    most: int = 1


OPERATORS: dict[str, Operator] = {}


def operator(*names: str, values: tuple[int, ...] = (), most: int = 1) -> Callable[..., Any]:
    """Registers a function as the operators of these names; arguments as the fields of ``Operator``."""

    def register(run: Callable[[Attributes, Inputs], Any]) -> Callable[[Attributes, Inputs], Any]:
        OPERATORS.update(dict.fromkeys(names, Operator(run, values, most)))
        return run

    return register


def _register_unary(**functions: Callable[[Tensor], Tensor]) -> None:
    for name, function in functions.items():
        OPERATORS[name] = Operator(partial(_apply_unary, function))


def _register_binary(**functions: Callable[[Tensor, Tensor], Tensor]) -> None:
    for name, function in functions.items():
        OPERATORS[name] = Operator(partial(_apply_binary, function), most=2)


def _apply_unary(function: Callable[[Tensor], Tensor], a: Attributes, x: Inputs) -> Tensor:
    return function(x[0])


def _apply_binary(function: Callable[[Tensor, Tensor], Tensor], a: Attributes, x: Inputs) -> Tensor:
    return function(*together(x[:2]))


def together(tensors: Inputs) -> Inputs:
    """Tensors of which some are small ones on the CPU, on the device of the others."""
    device = next((x.device for x in tensors if x.device.type != "cpu"), None)
    return tensors if device is None else [x.to(device) for x in tensors]


def _division(a: Tensor, b: Tensor) -> Tensor:
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


_register_unary(
    Relu=F.relu, Sigmoid=torch.sigmoid, Tanh=torch.tanh, HardSwish=F.hardswish, Softplus=F.softplus, Erf=torch.erf,
    Exp=torch.exp, Log=torch.log, Sqrt=torch.sqrt, Reciprocal=torch.reciprocal, Neg=torch.neg, Abs=torch.abs,
    Floor=torch.floor, Ceil=torch.ceil, Round=torch.round, Sign=torch.sign, Mish=F.mish, Softsign=F.softsign,
    Identity=lambda x: x, Not=torch.logical_not, Sin=torch.sin, Cos=torch.cos,
)  # fmt: skip
_register_binary(
    Add=torch.add, Sub=torch.sub, Mul=torch.mul, Div=_division, Equal=torch.eq, Less=torch.lt, Greater=torch.gt,
    LessOrEqual=torch.le, GreaterOrEqual=torch.ge, And=torch.logical_and, Or=torch.logical_or, Pow=torch.pow,
    MatMul=torch.matmul,
)  # fmt: skip


@operator("LeakyRelu")
def _leaky_relu(a: Attributes, x: Inputs) -> Tensor:
    return F.leaky_relu(x[0], a.get("alpha", 0.01))


@operator("Elu")
def _elu(a: Attributes, x: Inputs) -> Tensor:
    return F.elu(x[0], a.get("alpha", 1.0))


@operator("Celu")
def _celu(a: Attributes, x: Inputs) -> Tensor:
    return F.celu(x[0], a.get("alpha", 1.0))


@operator("Selu")
def _selu(a: Attributes, x: Inputs) -> Tensor:
    alpha, gamma = a.get("alpha", 1.6732632), a.get("gamma", 1.0507010)
    return gamma * F.elu(x[0], alpha)


@operator("HardSigmoid")
def _hard_sigmoid(a: Attributes, x: Inputs) -> Tensor:
    return (a.get("alpha", 0.2) * x[0] + a.get("beta", 0.5)).clamp(0, 1)


@operator("Gelu")
def _gelu(a: Attributes, x: Inputs) -> Tensor:
    return F.gelu(x[0], approximate=a.get("approximate", "none"))


@operator("PRelu", most=2)
def _prelu(a: Attributes, x: Inputs) -> Tensor:
    value, slope = together(x)
    return torch.where(value < 0, value * slope, value)


@operator("Dropout", values=(1, 2), most=3)
def _dropout(a: Attributes, x: Inputs) -> Tensor:
    return x[0]  # as in inference


@operator("Clip", values=(1, 2), most=3)
def _clip(a: Attributes, x: Inputs) -> Tensor:
    low, high = (
        one(given) if given is not None else a.get(key) for given, key in zip(x[1:], ("min", "max"), strict=True)
    )
    return x[0] if low is None and high is None else x[0].clamp(low, high)


def one(values: Any) -> Any:
    """The number in a list of one, or a number itself."""
    while isinstance(values, list):
        if len(values) != 1:
            raise Unread
        values = values[0]
    return values


@operator("Min", "Max", "Sum", "Mean", most=1000)
def _of_many(a: Attributes, x: Inputs) -> Tensor:
    given = together(x)
    total = given[0]
    for other in given[1:]:
        total = {"Min": torch.minimum, "Max": torch.maximum}.get(a["op"], torch.add)(total, other)
    return total / len(given) if a["op"] == "Mean" else total


@operator("Mod", most=2)
def _mod(a: Attributes, x: Inputs) -> Tensor:
    return (torch.fmod if a.get("fmod", 0) else torch.remainder)(*together(x))


@operator("IsNaN")
def _is_nan(a: Attributes, x: Inputs) -> Tensor:
    """torch's exporter asks so of every attention, in case all of a row is masked."""
    return torch.isnan(x[0])


@operator("Where", most=3)
def _where(a: Attributes, x: Inputs) -> Tensor:
    condition, first, second = together(x)
    return torch.where(condition, first, second)


@operator("Cast", "CastLike", most=2)
def _cast(a: Attributes, x: Inputs) -> Tensor:
    if a["op"] == "CastLike":
        return x[0].to(x[1].dtype)
    floating, whole = (1, 10, 11, 16), (2, 3, 5, 6, 7, 12, 13)
    to = a.get("to")
    if to in floating:  # all of them are computed with as float32
        return x[0] if x[0].is_floating_point() else x[0].float()
    if to in whole:
        return x[0].long()
    if to == 9:
        return x[0].bool()
    raise Unread


@operator("Softmax", "LogSoftmax")
def _softmax(a: Attributes, x: Inputs) -> Tensor:
    function = F.softmax if a["op"] == "Softmax" else F.log_softmax
    if a["opset"] >= 13:
        return function(x[0], a.get("axis", -1))
    axis = a.get("axis", 1) % x[0].dim()  # before: over all dimensions from this one on
    return function(x[0].flatten(axis), -1).reshape(x[0].shape)


@operator("Gemm", most=3)
def _gemm(a: Attributes, x: Inputs) -> Tensor:
    given = together([value for value in x if value is not None])
    left = given[0].T if a.get("transA", 0) else given[0]
    right = given[1].T if a.get("transB", 0) else given[1]
    product = a.get("alpha", 1.0) * (left @ right)
    return product + a.get("beta", 1.0) * given[2] if len(given) > 2 else product


@operator("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2", values=(1,), most=2)
def _reduce(a: Attributes, x: Inputs) -> Tensor:
    value, keep = x[0], bool(a.get("keepdims", 1))
    axes = x[1] if x[1] is not None else a.get("axes")
    if not axes:
        if a.get("noop_with_empty_axes", 0):
            return value
        axes = list(range(value.dim()))
    axes = sorted({axis % value.dim() for axis in axes}, reverse=True)
    if a["op"] in ("ReduceMean", "ReduceSum"):
        return (value.mean if a["op"] == "ReduceMean" else value.sum)(axes, keepdim=keep)
    if a["op"] == "ReduceL2":
        return torch.linalg.vector_norm(value, dim=axes, keepdim=keep)
    if a["op"] == "ReduceProd":
        for axis in axes:
            value = value.prod(axis, keepdim=keep)
        return value
    return (torch.amax if a["op"] == "ReduceMax" else torch.amin)(value, axes, keepdim=keep)


@operator("LRN")
def _lrn(a: Attributes, x: Inputs) -> Tensor:
    return F.local_response_norm(x[0], a["size"], a.get("alpha", 1e-4), a.get("beta", 0.75), a.get("bias", 1.0))


@operator("InstanceNormalization", most=3)
def _instance_norm(a: Attributes, x: Inputs) -> Tensor:
    value, scale, bias = together(x)
    return F.instance_norm(value, weight=scale, bias=bias, eps=a.get("epsilon", 1e-5))


@operator("GroupNormalization", most=3)
def _group_norm(a: Attributes, x: Inputs) -> Tensor:
    value, scale, bias = together(x)
    if scale.numel() != value.shape[1]:  # opset 18 has one for each group
        scale, bias = (part.repeat_interleave(value.shape[1] // part.numel()) for part in (scale, bias))
    return F.group_norm(value, a["num_groups"], scale, bias, a.get("epsilon", 1e-5))


@operator("LayerNormalization", most=3)
def _layer_norm(a: Attributes, x: Inputs) -> Tensor:
    value, *parts = together([part for part in x if part is not None])
    axis = a.get("axis", -1) % value.dim()
    shape = list(value.shape[axis:])
    scaled = F.layer_norm(value, shape, eps=a.get("epsilon", 1e-5)) * parts[0]
    return scaled + parts[1] if len(parts) > 1 else scaled


@operator("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(a: Attributes, x: Inputs) -> Tensor:
    axes = list(range(2, x[0].dim()))
    return x[0].mean(axes, keepdim=True) if a["op"] == "GlobalAveragePool" else torch.amax(x[0], axes, keepdim=True)
