"""Graphs that can be read and not computed, or not handed back: each is refused with its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn

from core.errors import BadInput
from core.models.small import SmallNet
from tests.core.models.onnx.answering import SIZE, drawn, read, tailed
from tests.core.models.onnx.graphs import Maker, small


def refused(model: onnx.ModelProto, folder: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read(model, folder)
    assert caught.value.message.endswith(".")
    return caught.value


def test_a_batch_that_is_baked_in_is_refused_with_the_way_round_it(tmp_path: Path) -> None:
    """Heads and images are one axis here, and the images are not its first part."""
    maker = Maker()
    maker.conv("conv", nn.Conv2d(3, 4, 3, padding=1))
    maker.add("Transpose", perm=[2, 0, 1, 3])
    maker.add("Reshape", maker.tensor("s", [8, 128]))
    maker.add("Reshape", maker.tensor("t", [1, 1024]))
    maker.gemm("fc", nn.Linear(1024, 5))
    assert refused(maker.model((1, 3, *SIZE), 5), tmp_path).code == "onnx_fixed_batch"


def test_a_batch_that_is_dropped_from_a_shape_is_refused_so_too(tmp_path: Path) -> None:
    """Places come first and images second, as in torch.nn.MultiheadAttention, and one image is no axis at all."""
    maker = Maker()
    maker.conv("conv", nn.Conv2d(3, 4, 4, stride=4))
    maker.add("Reshape", maker.tensor("s", [1, 4, 16]))
    maker.add("Transpose", perm=[2, 0, 1])
    maker.add("Reshape", maker.tensor("t", [16, 4]))
    maker.add("Gemm", maker.tensor("w", drawn(4, 4)), maker.tensor("b", drawn(4)))
    maker.add("ReduceMean", axes=[0], keepdims=1)
    maker.gemm("fc", nn.Linear(4, 5))
    assert refused(maker.model((1, 3, *SIZE), 5), tmp_path).code == "onnx_fixed_batch"


def test_a_weight_that_is_not_a_number_is_named(tmp_path: Path) -> None:
    net = SmallNet(7, width=4)
    with torch.no_grad():
        net.fc.weight[0, 0] = float("nan")
    fault = refused(small(net), tmp_path)
    assert fault.code == "weights_not_finite"
    assert fault.facts["name"] == "fc.weight"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda m: m.add("Relu"), "onnx_no_head"),
        (lambda m: m.add("NonZero"), "onnx_no_head"),
        (lambda m: m.add("Softmax") and m.add("ArgMax"), "onnx_no_head"),
    ],
)
def test_answers_that_come_from_no_linear_layer(tmp_path: Path, change: Callable[[Maker], Any], code: str) -> None:
    maker = Maker()
    maker.conv("conv", nn.Conv2d(3, 4, 3))
    tailed(maker)
    change(maker)
    assert refused(maker.model(classes=5), tmp_path).code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda m: m.add("Conv", m.tensor("w", drawn(4, 9, 3, 3))), "onnx_broken"),
        (lambda m: m.add("Conv", m.tensor("w", drawn(4, 4, 3))), "onnx_operator"),
        (lambda m: m.add("Det"), "onnx_operator"),
        (lambda m: m.add("MaxPool", kernel_shape=[0, 3]), "onnx_broken"),
        (lambda m: m.add("MaxPool", kernel_shape=[3, 3], strides=[0, 0]), "onnx_broken"),
        (lambda m: m.add("Pad", m.tensor("pads", [0, 0, 10**6, 10**6, 0, 0, 0, 0])), "onnx_operator"),
        (lambda m: m.add("Pad", m.tensor("pads", [0, 0, 2**62, 2**62, 0, 0, 0, 0])), "onnx_operator"),
        (lambda m: m.add("Tile", m.tensor("times", [1, 1, 2**20, 2**20])), "onnx_operator"),
        (lambda m: m.add("Expand", m.tensor("shape", [2**40, 1, 1, 1, 1])), "onnx_operator"),
        (lambda m: [m.add("Concat", m.last, axis=1) for _ in range(40)], "onnx_operator"),
        (lambda m: m.add("Reshape", m.tensor("s", [3, 5])), "onnx_broken"),
        (lambda m: m.add("Add", m.tensor("b", drawn(7, 7, 7))), "onnx_broken"),
        (lambda m: m.add("Gather", m.tensor("i", [9]), axis=1), "onnx_operator"),
        (lambda m: m.add("Conv", m.tensor("w", drawn(4, 4, 3, 3)), dilations=[2**40, 1]), "onnx_broken"),
    ],
)
def test_what_cannot_be_computed_is_refused_before_memory_is_taken(
    tmp_path: Path, change: Callable[[Maker], Any], code: str
) -> None:
    maker = Maker()
    maker.conv("conv", nn.Conv2d(3, 4, 3))
    change(maker)
    tailed(maker)
    assert refused(maker.model(classes=5), tmp_path).code == code


def test_a_tensor_that_is_used_in_two_ways_is_named(tmp_path: Path) -> None:
    maker = Maker()
    maker.conv("conv", nn.Conv2d(3, 4, 3))
    square = maker.tensor("square", drawn(4, 4))
    maker.add("GlobalAveragePool")
    maker.add("Flatten")
    maker.add("Gemm", square, transB=1)
    maker.add("Gemm", square)
    maker.gemm("fc", nn.Linear(4, 5))
    fault = refused(maker.model(classes=5), tmp_path)
    assert fault.code == "onnx_shared_tensor"
    assert fault.facts["name"] == "square"
