"""What is refused of an ONNX file before anything of it is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from core.errors import BadInput
from core.models.onnx import graph, wire
from core.models.small import SmallNet
from core.models.weights import read_weights
from tests.core.models.onnx.graphs import small, written


@pytest.fixture
def model() -> onnx.ModelProto:
    torch.manual_seed(0)
    return small(SmallNet(4, width=2).eval())


def refused(path: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read_weights(path)
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message
    return caught.value


def test_a_file_is_told_by_its_content_and_nothing_is_opened_beside_it(model: onnx.ModelProto, tmp_path: Path) -> None:
    weights = read_weights(written(model, tmp_path / "weights.bin"))
    assert weights.graph is not None
    assert list(weights.tensors) == [tensor.name for tensor in model.graph.initializer]
    assert torch.equal(weights.tensors["fc.weight"], torch.tensor(numpy_helper.to_array(model.graph.initializer[-2])))


@pytest.mark.parametrize("where", ["../../../../etc/passwd", "/etc/passwd", "weights.data"])
def test_a_tensor_in_another_file_is_named_and_not_opened(model: onnx.ModelProto, tmp_path: Path, where: str) -> None:
    (tmp_path / "weights.data").write_bytes(bytes(10_000))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=where)
    fault = refused(written(model, tmp_path / "net.onnx"))
    assert fault.code == "onnx_external"
    assert fault.facts == {"file": "net.onnx", "name": tensor.name, "where": where}


def _in_loop(model: onnx.ModelProto) -> None:
    body = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "body", [], [])
    model.graph.node.append(
        helper.make_node("If", [model.graph.output[0].name], ["z"], then_branch=body, else_branch=body)
    )


def _function(model: onnx.ModelProto) -> None:
    node, imports = helper.make_node("Relu", ["x"], ["y"]), [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("theirs", "Mine", ["x"], ["y"], [node], imports))


def _sparse(model: onnx.ModelProto) -> None:
    values = helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("p", TensorProto.INT64, [1], [1])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4]))


def _tensor(**fields: object) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        for name, value in fields.items():
            if name == "dims":
                del model.graph.initializer[0].dims[:]
                model.graph.initializer[0].dims.extend(value)  # type: ignore[arg-type]
            else:
                setattr(model.graph.initializer[0], name, value)

    return change


def _op(op: str, domain: str = "") -> Callable[[onnx.ModelProto], None]:
    return lambda model: model.graph.node.append(
        helper.make_node(op, [model.graph.output[0].name], ["z"], domain=domain)
    )


def _taking(name: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[0].input[0] = name

    return change


def _input(*dims: int, kind: int = TensorProto.FLOAT) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info("input", kind, list(dims)))

    return change


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        (_op("Magic", "com.example"), "onnx_domain", "com.example"),
        (_op("FusedConv", "com.microsoft"), "onnx_domain", "FusedConv"),
        (_op("QLinearConv"), "onnx_quantised", "QLinearConv"),
        (_op("QuantizeLinear"), "onnx_quantised", "QuantizeLinear"),
        (_op("QLinearAdd", "com.microsoft"), "onnx_quantised", "QLinearAdd"),
        (_in_loop, "onnx_subgraph", "If"),
        (_function, "onnx_subgraph", "Mine"),
        (_sparse, "weights_odd_tensor", "s"),
        (_tensor(data_type=TensorProto.COMPLEX64), "weights_odd_tensor", "trunk.0.weight"),
        (_tensor(data_type=TensorProto.FLOAT8E4M3FN), "weights_odd_tensor", "trunk.0.weight"),
        (_tensor(data_type=99), "weights_odd_tensor", "trunk.0.weight"),
        (_tensor(data_type=TensorProto.DOUBLE), "weights_damaged", "numbers"),
        (_tensor(dims=[2**40, 2**40]), "weights_damaged", "numbers"),
        (_tensor(dims=[-2, -27]), "weights_damaged", "shape"),
        (_tensor(dims=[1] * 60), "weights_damaged", "shape"),
        (_tensor(raw_data=b"1234567"), "weights_damaged", "part of a number"),
        (_tensor(name="fc.weight"), "onnx_broken", "fc.weight"),
        (_taking("nowhere"), "onnx_broken", "nowhere"),
        (_taking("relu_2"), "onnx_broken", "circle"),
        (lambda m: m.graph.node.append(m.graph.node[0]), "onnx_broken", "twice"),
        (lambda m: setattr(m.graph.output[0], "name", "nowhere"), "onnx_broken", "nowhere"),
        (lambda m: setattr(m.opset_import[0], "version", 6), "onnx_version", "version 6"),
        (lambda m: setattr(m.opset_import[0], "version", 99), "onnx_version", "version 99"),
        (lambda m: m.ClearField("opset_import"), "onnx_version", "version 0"),
        (_input(1, 784), "onnx_input", "2 dimensions"),
        (_input(1, 3, 16, 16, kind=TensorProto.UINT8), "onnx_input", "floating-point"),
        (lambda m: m.graph.input.append(helper.make_tensor_value_info("more", 1, [1])), "onnx_input", "2 inputs"),
        (lambda m: m.graph.ClearField("output"), "onnx_output", "nothing"),
        (lambda m: m.ClearField("graph"), "onnx_no_graph", "without an ONNX graph"),
        (lambda m: setattr(m.graph.node[0], "name", "a\nb"), "weights_damaged", "printed"),
    ],
)  # fmt: skip
def test_each_fault_is_told_by_its_cause(
    model: onnx.ModelProto, tmp_path: Path, change: Callable[[onnx.ModelProto], None], code: str, named: str
) -> None:
    change(model)
    fault = refused(written(model, tmp_path / "net.onnx"))
    assert fault.code == code, fault.message
    assert named in fault.message


def test_a_file_cut_short_is_damaged(model: onnx.ModelProto, tmp_path: Path) -> None:
    content = model.SerializeToString()
    (tmp_path / "net.onnx").write_bytes(content[: len(content) // 2])
    assert refused(tmp_path / "net.onnx").code == "weights_damaged"


def field(number: int, content: bytes) -> bytes:
    """A field of bytes, as Protocol Buffers write it."""
    length, head = len(content), bytearray()
    for value in (number << 3 | 2, length):
        while value > 127:
            head.append(value & 127 | 128)
            value >>= 7
        head.append(value)
    return bytes(head) + content


MANY = 500
EMPTY = b"\x0a\x00"  # an empty field 1: of a graph a node, of a node an input, of a shape a dimension


NO_MESSAGE = b"\xff"  # at the end of a file: a parser, which reads it whole, calls the file damaged


def test_a_file_that_is_no_message_is_damaged(model: onnx.ModelProto, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString() + NO_MESSAGE)
    assert refused(tmp_path / "net.onnx").code == "weights_damaged"
    with pytest.raises(DecodeError):
        onnx.ModelProto.FromString((tmp_path / "net.onnx").read_bytes())


@pytest.mark.parametrize(
    "hidden",
    [
        field(7, EMPTY * MANY),
        field(7, field(13, b"") * MANY),
        field(7, field(13, field(2, field(1, field(2, EMPTY * MANY))))),
        field(7, field(1, field(9, b"") * MANY)),
        field(7, field(1, field(5, field(6, EMPTY * MANY)))),
        field(7, field(1, field(5, field(11, field(1, EMPTY * MANY))))),
        field(7, field(15, field(1, field(13, b"") * MANY))),
        field(7, b"") + field(14, b"") * MANY,
        field(7, b"") + field(8, b"") * MANY,
    ],
    ids=[
        "nodes", "value_info", "dimensions of a value_info", "metadata_props of a node", "a graph in an attribute",
        "graphs in an attribute", "a sparse tensor", "metadata_props", "opset_import",
    ],
)  # fmt: skip
def test_countless_tiny_fields_are_counted_wherever_they_are(hidden: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        wire.judge(Path("net.onnx"), b"\x08\x08" + hidden, MANY)
    assert caught.value.code == "weights_too_large"
    wire.judge(Path("net.onnx"), b"\x08\x08" + hidden, MANY + 20)


def test_countless_tiny_fields_are_refused_before_they_are_parsed(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x08" + field(7, EMPTY * (wire.MOST_FIELDS + 1)) + NO_MESSAGE)
    assert refused(path).code == "weights_too_large"


@pytest.mark.parametrize(
    ("number", "content", "named"),
    [(25, field(1, b"Mine"), "Mine"), (25, b"", "functions"), (20, b"", "training_info")],
)
def test_functions_and_what_trains_are_refused_before_they_are_parsed(
    model: onnx.ModelProto, tmp_path: Path, number: int, content: bytes, named: str
) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString() + field(number, content) + NO_MESSAGE)
    fault = refused(path)
    assert (fault.code, fault.facts["name"]) == ("onnx_subgraph", named)


def test_types_within_types_without_end_are_damaged(tmp_path: Path) -> None:
    kind = b""
    for _ in range(10_000):
        kind = field(4, field(1, kind))  # a sequence of sequences of ...
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x08" + field(7, field(13, field(2, kind))))
    fault = refused(path)
    assert fault.code == "weights_damaged"
    assert "too deep" in fault.message, "which the parser would say in other words"


def test_what_is_long_and_plain_numbers_is_no_structure(tmp_path: Path) -> None:
    tensor = field(9, bytes(wire.LARGEST_STRUCTURE + 1))
    for content in (field(7, field(5, tensor)), field(7, field(1, field(5, field(5, tensor))))):
        wire.judge(tmp_path / "net.onnx", content)
    with pytest.raises(BadInput) as caught:
        wire.judge(tmp_path / "net.onnx", field(7, field(1, field(3, bytes(wire.LARGEST_STRUCTURE + 1)))))
    assert caught.value.code == "weights_too_large"


def test_numbers_that_lie_in_fields_of_their_type_are_read(model: onnx.ModelProto, tmp_path: Path) -> None:
    """float_data, as some writers have it, instead of raw bytes; it comes back as raw bytes of the same numbers."""
    tensor = model.graph.initializer[0]
    values = numpy_helper.to_array(tensor)
    tensor.ClearField("raw_data")
    tensor.float_data.extend(values.flatten())
    weights = read_weights(written(model, tmp_path / "net.onnx"))
    assert np.array_equal(weights.tensors[tensor.name].numpy(), values)
    assert weights.graph is not None
    new = {tensor.name: weights.tensors[tensor.name] + 1}
    back = onnx.load_from_string(weights.graph.written(new))
    assert np.array_equal(numpy_helper.to_array(back.graph.initializer[0]), values + 1)


def test_the_versions_that_are_read_are_those_the_tests_speak_of() -> None:
    assert graph.OPSETS == (7, 25)


def test_a_torchscript_archive_is_refused_with_the_way_round_it(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2))
    path = tmp_path / "net.pt"
    torch.jit.trace(net, torch.rand(1, 3, 1, 1)).save(str(path))
    fault = refused(path)
    assert fault.code == "weights_torchscript"
    assert "torch.onnx.export" in fault.message
