"""Graphs as they are read here beside the same in onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from core.models.identify import Candidate
from core.models.onnx.candidate import graph_candidate
from core.models.weights import read_weights
from tests.core.models.onnx.graphs import Maker, written

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


def tailed(maker: Maker, channels: int = 4, classes: int = 5) -> None:
    maker.add("GlobalAveragePool")
    maker.add("Flatten")
    maker.gemm("fc", nn.Linear(channels, classes))
