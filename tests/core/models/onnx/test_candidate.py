"""Graphs of many kinds against onnxruntime: the logits as read, and those of the graph handed back with new weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from core.models.classifier import Classifier
from core.models.small import SmallNet
from tests.core.models.onnx.answering import SIZE, agrees, drawn, read
from tests.core.models.onnx.graphs import Maker, small


def test_a_small_network_answers_as_in_torch_and_in_onnxruntime(tmp_path: Path) -> None:
    net = SmallNet(7, width=4).eval()
    for norm in (module for module in net.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.uniform_(norm.running_mean, -0.1, 0.1)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
    candidate = agrees(small(net), tmp_path)
    images = torch.rand(2, 3, *SIZE)
    with torch.inference_mode():
        assert torch.allclose(candidate.network()(images), net(images), atol=1e-5)
    assert candidate.classes == 7
    assert candidate.channels == 3
    assert sum(isinstance(module, nn.BatchNorm2d) for module in candidate.network().modules()) == 4
    assert set(candidate.weights.named_as_in_file({})) == {t.name for t in small(net).graph.initializer}


def test_the_tap_is_what_enters_the_last_linear_layer(tmp_path: Path) -> None:
    net = SmallNet(7, width=4).eval()
    model = Classifier(read(small(net, softmax=True), tmp_path).network())
    images = torch.rand(2, 3, *SIZE)
    with torch.inference_mode():
        features, logits = model.features_and_logits(images)
        assert torch.allclose(features, net.trunk(images).mean((2, 3)), atol=1e-5)
        assert torch.allclose(logits, net(images), atol=1e-5), "the softmax is left out"


def test_a_batch_of_one_and_a_softmax_are_computed_with_any_number_of_images(tmp_path: Path) -> None:
    net = SmallNet(7, width=4).eval()
    model = small(net, softmax=True, shape=(1, 3, *SIZE))
    candidate = agrees(model, tmp_path, singly=True, end=lambda x: x.softmax(1))
    assert candidate.size == SIZE
    assert [fact.code for fact in candidate.weights.found] == ["file", "onnx_graph", "onnx_end", "onnx_batch"]


def test_a_transformer_with_a_fixed_batch(tmp_path: Path) -> None:
    """Patches, class token, places, attention with reshapes for a batch of one, layer norms, GELU in pieces."""
    wide, heads, places = 8, 2, 17
    maker = Maker(17)
    maker.conv("patch", nn.Conv2d(3, wide, 4, stride=4))
    maker.add("Reshape", maker.tensor("flat", [1, wide, 16]))
    maker.add("Transpose", perm=[0, 2, 1])
    tokens = maker.last
    maker.last = maker.tensor("class_token", drawn(1, 1, wide))
    maker.add("Concat", tokens, axis=1)
    maker.add("Add", maker.tensor("places", drawn(1, places, wide)))
    before = maker.last
    maker.add(
        "LayerNormalization", maker.tensor("n.weight", drawn(wide) + 1), maker.tensor("n.bias", drawn(wide)), axis=-1
    )
    maker.add("MatMul", maker.tensor("onnx::MatMul_9", drawn(wide, 3 * wide)))
    maker.add("Add", maker.tensor("qkv.bias", drawn(3 * wide)))
    maker.add("Reshape", maker.tensor("split", [1, places, 3, heads, wide // heads]))
    maker.add("Transpose", perm=[2, 0, 3, 1, 4])
    maker.add("Split", maker.tensor("ones", [1, 1, 1]), outputs=("q", "k", "v"), axis=0)
    for part in "qkv":
        maker.last = part
        maker.add("Squeeze", maker.tensor(f"axis_{part}", [0]), outputs=(f"{part}s",))
    maker.last = "ks"
    turned = maker.add("Transpose", perm=[0, 1, 3, 2])
    maker.last = "qs"
    maker.add("MatMul", turned)
    maker.add("Mul", maker.tensor("scale", np.float32(0.5)))
    maker.add("Softmax", axis=-1)
    maker.add("MatMul", "vs")
    maker.add("Transpose", perm=[0, 2, 1, 3])
    maker.add("Reshape", maker.tensor("joined", [1, places, wide]))
    maker.add("Add", before)
    hidden = maker.add("MatMul", maker.tensor("onnx::MatMul_10", drawn(wide, wide)))
    maker.add("Div", maker.tensor("root", np.float32(2**0.5)))
    maker.add("Erf")
    maker.add("Add", maker.tensor("one", np.float32(1)))
    maker.add("Mul", hidden)
    maker.add("Gather", maker.tensor("first", np.int64(0)), axis=1)
    maker.gemm("head", nn.Linear(wide, 5))
    candidate = agrees(maker.model((1, 3, *SIZE), 5), tmp_path, singly=True)
    names = set(candidate.weights.names.values())
    assert {"class_token", "places", "n.weight", "onnx::MatMul_9", "qkv.bias", "head.weight"} <= names
    assert not {"scale", "root", "one", "flat"} & names


def test_images_whose_channels_are_last_with_the_scaling_inside(tmp_path: Path) -> None:
    """As TensorFlow's converter writes: pads of one side, weights of linear layers lying the other way."""
    maker = Maker(13)
    maker.add("Sub", maker.tensor("mean", np.array([0.4, 0.5, 0.6], np.float32)))
    maker.add("Div", maker.tensor("std", np.array([0.2, 0.3, 0.25], np.float32)))
    maker.add("Transpose", perm=[0, 3, 1, 2])
    maker.add(
        "Conv", maker.tensor("k", drawn(4, 3, 3, 3)), maker.tensor("b", drawn(4)), strides=[2, 2], auto_pad="SAME_UPPER"
    )
    maker.add("Clip", maker.tensor("low", np.float32(0)), maker.tensor("high", np.float32(6)))
    maker.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
    maker.add("AveragePool", kernel_shape=[3, 3], strides=[1, 1], auto_pad="SAME_LOWER")
    maker.add("ReduceMean", axes=[2, 3], keepdims=0)
    maker.add("MatMul", maker.tensor("dense/kernel", drawn(4, 6)))
    maker.add("Add", maker.tensor("dense/bias", drawn(6)))
    candidate = agrees(maker.model(("n", *SIZE, 3), 6), tmp_path, last_channel=True)
    assert set(candidate.weights.names.values()) == {"k", "b", "dense/kernel", "dense/bias"}, (
        "the scaling is not trained"
    )


@pytest.mark.parametrize("pooled", ["before", "after"])
def test_a_head_that_is_a_convolution_is_a_linear_layer_here(tmp_path: Path, pooled: str) -> None:
    maker = Maker()
    maker.conv("conv", nn.Conv2d(3, 4, 3))
    maker.add("Relu")
    if pooled == "before":
        maker.add("GlobalAveragePool")
    maker.conv("head", nn.Conv2d(4, 5, 1))
    if pooled == "after":
        maker.add("GlobalAveragePool")
    maker.add("Flatten")
    candidate = agrees(maker.model(classes=5), tmp_path)
    model = Classifier(candidate.network())
    assert model.feature_size == 4
    assert candidate.weights.named_as_in_file(model.net.state_dict())["head.weight"].shape == (5, 4, 1, 1)


def test_shapes_that_are_worked_out_from_the_input(tmp_path: Path) -> None:
    """The chain that torch.flatten and view leave: Shape, Gather, Unsqueeze, Concat, Reshape."""
    maker = Maker()
    body = maker.conv("conv", nn.Conv2d(3, 4, 3, padding=1))
    maker.add("Shape")
    maker.add("Gather", maker.tensor("zero", np.int64(0)), axis=0)
    batch = maker.add("Unsqueeze", maker.tensor("axes", [0]))
    maker.last = batch
    shape = maker.add("Concat", maker.tensor("rest", [-1]), axis=0)
    maker.last = body
    maker.add("Relu")
    maker.add("Reshape", shape)
    maker.gemm("fc", nn.Linear(4 * 256, 5))
    agrees(maker.model(classes=5), tmp_path)


def test_half_precision_stays_half_precision_in_the_file(tmp_path: Path) -> None:
    maker = Maker()
    maker.conv("conv", nn.Conv2d(3, 4, 3).half())
    maker.add("Relu")
    maker.add("GlobalAveragePool")
    maker.add("Flatten")
    maker.gemm("fc", nn.Linear(4, 5).half())
    candidate = agrees(maker.model(classes=5, kind=TensorProto.FLOAT16), tmp_path, loose=5e-3)
    assert {value.dtype for value in candidate.weights.named_as_in_file({}).values()} == {torch.float16}


def test_weights_in_constant_nodes_and_behind_a_transpose_are_weights_too(tmp_path: Path) -> None:
    maker = Maker()
    weight = numpy_helper.from_array(drawn(4, 3, 3, 3).numpy(), "")
    maker.nodes.append(helper.make_node("Constant", [], ["w"], value=weight))
    maker.add("Conv", "w")
    image = maker.add("Relu")
    maker.last = maker.tensor("lin", drawn(5, 4))
    turned = maker.add("Transpose", perm=[1, 0])
    maker.last = image
    maker.add("GlobalAveragePool")
    maker.add("Flatten")
    maker.add("MatMul", turned)
    candidate = agrees(maker.model(classes=5), tmp_path)
    assert set(candidate.weights.names.values()) == {"w", "lin"}


def test_images_that_are_not_the_first_axis_are_counted_where_they_are(tmp_path: Path) -> None:
    maker = Maker()
    maker.conv("conv", nn.Conv2d(3, 4, 4, stride=4))
    maker.add("Reshape", maker.tensor("s", [1, 4, 16]))
    maker.add("Transpose", perm=[2, 0, 1])
    maker.add("Reshape", maker.tensor("t", [16, 2, 2]))
    maker.add("Softmax", axis=-1)
    maker.add("Reshape", maker.tensor("u", [16, 1, 4]))
    maker.add("MatMul", maker.tensor("w", drawn(4, 4)))
    maker.add("ReduceMean", axes=[0], keepdims=0)
    maker.gemm("fc", nn.Linear(4, 5))
    agrees(maker.model((1, 3, *SIZE), 5), tmp_path, singly=True)


def test_a_tensor_that_two_layers_share_is_one_here_and_in_the_file(tmp_path: Path) -> None:
    maker = Maker()
    maker.conv("conv", nn.Conv2d(3, 4, 3))
    square, zero = maker.tensor("square", drawn(4, 4)), maker.tensor("zero", drawn(4))
    maker.add("GlobalAveragePool")
    maker.add("Flatten")
    maker.add("Gemm", square, zero, transB=1)
    maker.add("Relu")
    maker.add("Gemm", square, zero, transB=1)
    maker.gemm("fc", nn.Linear(4, 5))
    agrees(maker.model(classes=5), tmp_path)
