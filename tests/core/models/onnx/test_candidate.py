"""Graphs of many kinds against onnxruntime: the logits as read, and those of the graph handed back with new weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from core.errors import BadInput
from core.models.classifier import Classifier
from core.models.identify import Candidate
from core.models.onnx.candidate import graph_candidate
from core.models.small import SmallNet
from core.models.weights import read_weights
from tests.core.models.onnx.graphs import FLOAT, Maker, small, written

SIZE = (16, 16)


def read(model: onnx.ModelProto, folder: Path, size: tuple[int, int] = SIZE) -> Candidate:
    return graph_candidate(read_weights(written(model, folder / "net.onnx")), size)


def run(content: bytes, images: Tensor, singly: bool = False) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    kind = np.float16 if "float16" in given.type else np.float32
    array = images.numpy().astype(kind)
    parts = [array[at : at + 1] for at in range(len(array))] if singly else [array]
    return np.concatenate([session.run(None, {given.name: part})[0] for part in parts]).astype(np.float32)


def agrees(model: onnx.ModelProto, folder: Path, **how: Any) -> Candidate:
    """The graph answers here as in onnxruntime, before and after every weight of it was changed."""
    last, end, loose = how.get("last_channel", False), how.get("end", lambda x: x), how.get("loose", 1e-4)
    candidate = read(model, folder)
    net = candidate.network()
    images = torch.rand(3, candidate.channels, *SIZE, generator=torch.Generator().manual_seed(1))
    for again in (False, True):
        if again:
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter.mul_(1.03).add_(0.001)
        content = candidate.weights.graph.written(candidate.weights.named_as_in_file(net.state_dict()))
        with torch.inference_mode():
            ours = end(net(images)).numpy()
        theirs = run(content, images.permute(0, 2, 3, 1) if last else images, how.get("singly", False))
        np.testing.assert_allclose(ours, theirs.reshape(ours.shape), atol=loose, rtol=loose)
        if not again:
            assert onnx.load_from_string(content) == model
            first = ours
    assert not np.allclose(first, ours, atol=1e-3), "the weights that were changed are those that answer"
    return candidate


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))) * 0.2


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def tailed(maker: Maker, channels: int = 4, classes: int = 5) -> None:
    maker.add("GlobalAveragePool")
    maker.add("Flatten")
    maker.gemm("fc", nn.Linear(channels, classes))


# ---- whole networks


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


# ---- single operators


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


# ---- refusals of what can be read and not computed


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
