"""ONNX files of torch networks, put together node by node with onnx.helper: an exporter of the tests' own, and so an
oracle that is independent of the reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from core.models.small import SmallNet

FLOAT = TensorProto.FLOAT


class Maker:
    """Collects nodes and tensors. ``half``: weights are written in half precision and cast when they are used."""

    def __init__(self, opset: int = 17) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.opset = opset
        self.last = "input"

    def add(self, op: str, *inputs: str, outputs: tuple[str, ...] = (), **attributes: Any) -> str:
        """A node on the last tensor, and ``inputs`` after it; the name of its first output."""
        outputs = outputs or (f"{op.lower()}_{len(self.nodes)}",)
        self.nodes.append(
            helper.make_node(op, [self.last, *inputs], list(outputs), f"node_{len(self.nodes)}", **attributes)
        )
        self.last = outputs[0]
        return self.last

    def tensor(self, name: str, value: Tensor | np.ndarray | list[int]) -> str:
        array = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
        self.tensors.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def conv(self, name: str, conv: nn.Conv2d) -> str:
        weights = [self.tensor(f"{name}.weight", conv.weight)]
        weights += [self.tensor(f"{name}.bias", conv.bias)] if conv.bias is not None else []
        pads = [int(side) for side in conv.padding] * 2
        return self.add(
            "Conv", *weights, kernel_shape=conv.kernel_size, strides=conv.stride, pads=pads, dilations=conv.dilation,
            group=conv.groups,
        )  # fmt: skip

    def norm(self, name: str, norm: nn.BatchNorm2d | nn.BatchNorm1d) -> str:
        parts = ("weight", "bias", "running_mean", "running_var")
        return self.add(
            "BatchNormalization", *(self.tensor(f"{name}.{part}", getattr(norm, part)) for part in parts),
            epsilon=norm.eps, momentum=0.9,
        )  # fmt: skip

    def gemm(self, name: str, linear: nn.Linear, output: str = "") -> str:
        weights = [self.tensor(f"{name}.weight", linear.weight), self.tensor(f"{name}.bias", linear.bias)]
        return self.add("Gemm", *weights, transB=1, outputs=(output,) if output else ())

    def model(
        self, shape: tuple[Any, ...] = ("n", 3, 16, 16), classes: int = 10, output: str = "", kind: int = FLOAT
    ) -> onnx.ModelProto:
        """The file; ``output``: the last tensor by default."""
        given = helper.make_tensor_value_info("input", kind, list(shape))
        answers = helper.make_tensor_value_info(output or self.last, kind, [shape[0], classes])
        graph = helper.make_graph(self.nodes, "net", [given], [answers], self.tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


def small(net: SmallNet, softmax: bool = False, **model: Any) -> onnx.ModelProto:
    """The file of a ``SmallNet``, batch norms as they are."""
    maker = Maker()
    for name, module in net.trunk.named_children():
        add_module(maker, f"trunk.{name}", module)
    maker.add("GlobalAveragePool")
    maker.add("Flatten")
    maker.gemm("fc", net.fc)
    if softmax:
        maker.add("Softmax", axis=1)
    return maker.model(classes=net.fc.out_features, **model)


def add_module(maker: Maker, name: str, module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        maker.conv(name, module)
    elif isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
        maker.norm(name, module)
    elif isinstance(module, nn.ReLU):
        maker.add("Relu")
    elif isinstance(module, nn.MaxPool2d):
        maker.add("MaxPool", kernel_shape=[module.kernel_size] * 2, strides=[module.stride] * 2)
    else:
        raise AssertionError(type(module))


def written(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path
