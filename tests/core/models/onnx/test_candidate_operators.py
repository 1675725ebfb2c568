"""Single operators against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from torch import nn

from tests.core.models.onnx.answering import agrees, drawn, tailed
from tests.core.models.onnx.graphs import FLOAT, Maker

OPERATORS: dict[str, Callable[[Maker], Any]] = {
    **{
        name: lambda m, name=name: m.add(name)
        for name in (
            "Relu", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Selu", "Celu", "Softplus",
            "Erf", "Identity", "Dropout", "Abs", "Neg", "Exp", "Floor", "Softsign",
        )
    },
    "leaky": lambda m: m.add("LeakyRelu", alpha=0.3),
    "hard": lambda m: m.add("HardSigmoid", alpha=1 / 6, beta=0.5),
    "prelu": lambda m: m.add("PRelu", m.tensor("slope", drawn(4, 1, 1))),
    "clip": lambda m: m.add("Clip", "", m.tensor("high", np.float32(0.3))),
    "sub": lambda m: m.add("Sub", m.tensor("shift", drawn(1, 4, 1, 1))),
    "pow": lambda m: m.add("Pow", m.tensor("two", np.float32(2))),
    "max pool": lambda m: m.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
    "max pool, pads": lambda m: m.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
    "average pool": lambda m: m.add("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "average pool, pads": lambda m: m.add(
        "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1], count_include_pad=1
    ),
    "global max": lambda m: m.add("GlobalMaxPool"),
    "conv, pads": lambda m: m.add("Conv", m.tensor("u", drawn(4, 2, 3, 3)), pads=[0, 1, 2, 1], group=2),
    "conv, same": lambda m: m.add("Conv", m.tensor("u", drawn(4, 4, 2, 2)), auto_pad="SAME_LOWER"),
    "norm": lambda m: m.add(
        "BatchNormalization", *(m.tensor(f"n{i}", drawn(4).abs() + 0.5 + i / 10) for i in range(4)), epsilon=1e-3
    ),
    "instance norm": lambda m: m.add("InstanceNormalization", m.tensor("s", drawn(4)), m.tensor("t", drawn(4) + 1)),
    "lrn": lambda m: m.add("LRN", size=3),
    "pad": lambda m: m.add("Pad", m.tensor("pads", [0, 0, 1, 2, 0, 0, 3, 0]), m.tensor("fill", np.float32(0.2))),
    "large, in a batch": lambda m: (
        m.add("Tile", m.tensor("times", [1, 1, 16, 16])),
        m.add("Pad", m.tensor("pads", [0, 0, 0, 0, 0, 0, 0, 0])),
        m.add("Concat", m.last, axis=2),
    ),
    "nothing where it is no number, as of attention": lambda m: (
        last := m.last, m.add("IsNaN"), m.add("Where", m.tensor("none", np.float32(0)), last),
    ),
    "reflect": lambda m: m.add("Pad", m.tensor("pads", [0, 0, 1, 2, 0, 0, 3, 0]), mode="reflect"),
    "slice": lambda m: m.add(
        "Slice", m.tensor("from", [1, -9]), m.tensor("to", [2**62, -1]), m.tensor("at", [2, 3]), m.tensor("by", [2, 1])
    ),
    "slice back": lambda m: m.add(
        "Slice", m.tensor("from", [-1]), m.tensor("to", [-(2**62)]), m.tensor("axes", [2]), m.tensor("by", [-1])
    ),
    "shuffle": lambda m: (
        m.add("Reshape", m.tensor("s1", [0, 2, 2, 14, 14])),
        m.add("Transpose", perm=[0, 2, 1, 3, 4]),
        m.add("Reshape", m.tensor("s2", [0, -1, 14, 14])),
    ),
    "split": lambda m: (
        m.add("Split", m.tensor("sizes", [1, 3]), outputs=("p", "q"), axis=1),
        m.add("Concat", "q", axis=1),
    ),
    "gather": lambda m: m.add("Gather", m.tensor("order", [3, 2, -4, 1]), axis=1),
    "residual": lambda m: m.add("Add", m.last),
    "mean": lambda m: m.add("Mul", m.add("ReduceMean", axes=[-1, -2])),
    "squeeze and excite": lambda m: _excited(m),
    "mish by hand": lambda m: _mish(m),
    "expand": lambda m: _expanded(m),
    "softmax": lambda m: m.add("Softmax", axis=1),
    "log softmax": lambda m: m.add("LogSoftmax", axis=-1),
    "cast": lambda m: m.add("Cast", to=TensorProto.DOUBLE) and m.add("Cast", to=FLOAT),
    "min": lambda m: m.add("Min", m.tensor("most", np.float32(0.1))),
    "where": lambda m: _where(m),
    "depth to space": lambda m: m.add("DepthToSpace", blocksize=2) and m.add(
        "Conv", m.tensor("u", drawn(4, 1, 3, 3))
    ),
}  # fmt: skip


def _excited(m: Maker) -> None:
    x = m.last
    m.add("GlobalAveragePool")
    m.conv("squeeze", nn.Conv2d(4, 2, 1))
    m.add("Relu")
    m.conv("excite", nn.Conv2d(2, 4, 1))
    m.add("HardSigmoid")
    m.add("Mul", x)


def _mish(m: Maker) -> None:
    x = m.last
    m.add("Softplus")
    m.add("Tanh")
    m.add("Mul", x)


def _expanded(m: Maker) -> None:
    x = m.last
    shape = m.add("Shape")
    m.last = m.tensor("plane", drawn(1, 4, 1, 1))
    m.add("Expand", shape)
    m.add("Mul", x)


def _where(m: Maker) -> None:
    x = m.last
    m.add("Greater", m.tensor("zero", np.float32(0)))
    m.add("Where", x, m.tensor("otherwise", np.float32(-0.1)))


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_computes_what_onnxruntime_does(tmp_path: Path, name: str) -> None:
    maker = Maker(17)
    maker.conv("conv", nn.Conv2d(3, 4, 3))
    OPERATORS[name](maker)
    tailed(maker)
    agrees(maker.model(classes=5), tmp_path)
