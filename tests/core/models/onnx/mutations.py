"""ONNX files, damaged in a thousand ways; run as a process of its own, since the question is whether it survives.

``python -m tests.core.models.onnx.mutations FOLDER COUNT [FIRST]`` prints one JSON line with what became of each file.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from core.errors import BadInput
from core.models.onnx.candidate import graph_candidate
from core.models.small import SmallNet
from core.models.weights import read_weights
from tests.core.models.mutations import flips, lengths, splice, truncation
from tests.core.models.onnx.graphs import Maker, small

ROOM = 3 * 2**30  # bytes of memory beyond what the process has when it begins
NUMBERS = [-(2**63), -(2**31), -7, -1, 0, 1, 2, 3, 5, 17, 1000, 2**20, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1]
FRACTIONS = [float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e-45, 3e38]
NAMES = ["", "input", "nowhere", "relu_2", "../../etc/passwd", "a\nb", "x" * 10_000, "__class__", "\ud7ff", "fc.weight"]
OPS = [
    "If", "Loop", "Scan", "Relu", "Conv", "Gemm", "MatMul", "Concat", "Reshape", "Expand", "Tile", "Pad", "Slice",
    "Gather", "Split", "Range", "ConstantOfShape", "Shape", "Cast", "QLinearConv", "BatchNormalization", "MaxPool",
    "Softmax", "Squeeze", "Unsqueeze", "Transpose", "Where", "Constant", "Identity", "ReduceMean", "PythonOp",
    "StringConcat",
]  # fmt: skip


def shaped() -> onnx.ModelProto:
    """A graph that works shapes out, with attention's operators and a fixed batch."""
    maker = Maker()
    body = maker.conv("conv", nn.Conv2d(3, 4, 3, padding=1))
    maker.add("Shape")
    maker.add("Gather", maker.tensor("zero", np.int64(0)), axis=0)
    maker.add("Unsqueeze", maker.tensor("axes", [0]))
    shape = maker.add("Concat", maker.tensor("rest", [4, -1]), axis=0)
    maker.last = body
    maker.add("Reshape", shape)
    maker.add("Transpose", perm=[0, 2, 1])
    maker.add("MatMul", maker.tensor("mix", np.full((4, 4), 0.1, np.float32)))
    maker.add("Add", maker.tensor("bias", np.full(4, 0.1, np.float32)))
    maker.add("Slice", maker.tensor("from", [0]), maker.tensor("to", [9]), maker.tensor("at", [1]))
    maker.add("Pad", maker.tensor("pads", [0, 1, 0, 0, 1, 0]))
    maker.add("Softmax", axis=-1)
    maker.add("ReduceMean", axes=[1], keepdims=0)
    maker.gemm("fc", nn.Linear(4, 3))
    return maker.model(("n", 3, 8, 8), 3)


def originals() -> list[onnx.ModelProto]:
    torch.manual_seed(0)
    net = SmallNet(3, width=2).eval()
    return [small(net, softmax=True), small(net, shape=(1, 3, 16, 16)), shaped()]


def number(rng: random.Random) -> int:
    return rng.choice(NUMBERS)


def edit_attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    node = rng.choice([node for node in model.graph.node if node.attribute] or [model.graph.node[0]])
    if not node.attribute:
        return
    attribute = rng.choice(node.attribute)
    how = rng.randrange(6)
    if how == 0 and attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = number(rng)
    elif how == 1:
        del attribute.ints[:]
        attribute.ints.extend(number(rng) for _ in range(rng.randrange(5)))
    elif how == 2:
        attribute.i, attribute.f = number(rng), rng.choice(FRACTIONS)
    elif how == 3:
        attribute.type = rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 10, 13])
    elif how == 4:
        attribute.name = rng.choice(["axis", "pads", "perm", "group", "value", "to", "strides", *NAMES[:6]])
    else:
        node.attribute.remove(attribute)


def edit_tensor(model: onnx.ModelProto, rng: random.Random) -> None:
    tensor = rng.choice(model.graph.initializer)
    how = rng.randrange(7)
    if how == 0 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = number(rng)
    elif how == 1:
        tensor.data_type = rng.randrange(25)
    elif how == 2:
        tensor.raw_data = tensor.raw_data[: rng.randrange(len(tensor.raw_data) + 1)]
    elif how == 3:
        tensor.name = rng.choice(NAMES)
    elif how == 4:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=rng.choice(NAMES))
    elif how == 5 and tensor.data_type == TensorProto.INT64:
        values = [number(rng) for _ in range(rng.randrange(1, 5))]
        tensor.CopyFrom(helper.make_tensor(tensor.name, TensorProto.INT64, [len(values)], values))
    elif how == 6 and tensor.data_type == TensorProto.FLOAT:
        values = numpy_helper.to_array(tensor).copy()
        values.flat[rng.randrange(values.size)] = rng.choice(FRACTIONS)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def edit_node(model: onnx.ModelProto, rng: random.Random) -> None:
    nodes = model.graph.node
    node = rng.choice(nodes)
    how = rng.randrange(8)
    known = [name for other in nodes for name in (*other.input, *other.output)] + NAMES
    if how == 0:
        node.op_type = rng.choice(OPS)
    elif how == 1 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(known)
    elif how == 2 and node.output:
        node.output[rng.randrange(len(node.output))] = rng.choice(known)
    elif how == 3:
        nodes.remove(node)
    elif how == 4:
        nodes.insert(rng.randrange(len(nodes)), node)
    elif how == 5:
        node.domain = rng.choice(["", "ai.onnx", "ai.onnx.ml", "com.microsoft", *NAMES])
    elif how == 6:
        node.input.extend(rng.choice(known) for _ in range(rng.randrange(1, 4)))
    else:
        inner = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "inner", [], [])
        node.attribute.append(helper.make_attribute("body", inner))


def edit_model(model: onnx.ModelProto, rng: random.Random) -> None:
    how = rng.randrange(6)
    if how == 0:
        model.opset_import[0].version = number(rng)
    elif how == 1:
        dims = [rng.choice([None, "n", *NUMBERS]) for _ in range(rng.choice([2, 4, 4, 4, 5]))]
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info("input", rng.choice([1, 1, 1, 7, 10]), dims))
    elif how == 2:
        model.graph.output[0].name = rng.choice([*NAMES, *(node.output[0] for node in model.graph.node)])
    elif how == 3:
        model.graph.input.append(helper.make_tensor_value_info(rng.choice(NAMES[:4]), 1, [1]))
    elif how == 4:
        model.ClearField(rng.choice(["graph", "opset_import"]))
    else:
        # grows twofold with each node
        last = model.graph.node[0].output[0]
        for at in range(rng.randrange(60)):
            model.graph.node.insert(at + 1, helper.make_node("Concat", [last, last], [f"g{at}"], axis=rng.randrange(4)))
            last = f"g{at}"
        model.graph.node[min(len(model.graph.node) - 1, 61)].input[0] = last


BYTES: list[Callable[[bytes, random.Random], bytes]] = [flips, truncation, splice, lengths]
FIELDS: list[Callable[[onnx.ModelProto, random.Random], None]] = [edit_attribute, edit_tensor, edit_node, edit_model]


def mutated(models: list[onnx.ModelProto], rng: random.Random) -> bytes:
    model = onnx.ModelProto()
    model.CopyFrom(rng.choice(models))
    if rng.random() < 0.35:
        return rng.choice(BYTES)(model.SerializeToString(), rng)
    for _ in range(rng.choice([1, 1, 2])):
        edits = FIELDS if model.HasField("graph") and model.opset_import else []
        if edits:
            edits[rng.choice([0, 0, 1, 1, 2, 2, 3])](model, rng)
    return model.SerializeToString()


def main(folder: Path, count: int, first: int) -> None:
    models = originals()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    fates: Counter[str] = Counter()
    wrong: list[tuple[int, str]] = []
    opened: list[str] = []
    sys.addaudithook(lambda event, arguments: opened.append(event) if event in _EXECUTING else None)
    began = time.process_time()
    for at in range(first, first + count):
        path = folder / "net.onnx"
        path.write_bytes(mutated(models, random.Random(at)))
        print(at, file=sys.stderr, flush=True)  # the last line names the file of a crash
        try:
            weights = read_weights(path)
            if weights.graph is None:
                fates["another format"] += 1
                continue
            candidate = graph_candidate(weights, (16, 16))
            weights.graph.written(candidate.weights.named_as_in_file(candidate.network().state_dict()))
            fates["read"] += 1
        except BadInput as error:
            fates[error.code] += 1
            if "\n" in error.message or not error.message.endswith(".") or len(error.message) > 600:
                wrong.append((at, error.message))
        except BaseException as error:
            wrong.append((at, f"{type(error).__name__}: {error}"))
    seconds = time.process_time() - began
    print(json.dumps({"fates": fates, "wrong": wrong, "executed": opened, "seconds": round(seconds, 1)}))


_EXECUTING = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect", "pickle.find_class")

if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int((sys.argv[3:] or ["0"])[0]))
