"""A whole run on an ONNX file: what is handed back is the same graph, and onnxruntime says what it answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.numpy import load_file

from core.data import load
from core.engine.subject import load_subject
from core.explore.material import material
from core.victims import card_of, load_victim
from tests.core.models.onnx.graphs import small, written
from tests.core.whole_runs import SOON, VICTIM, Done, do


@pytest.fixture(scope="module")
def done(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    path = tmp_path_factory.mktemp("onnx") / "theirs.onnx"
    net = load_victim(VICTIM).net
    written(small(net, softmax=True, shape=(1, 3, 16, 16)), path)  # type: ignore[arg-type]
    return do(root, victim=None, weights=str(path), points=100, live=False, settings=SOON)


def answers(path: Path, images: np.ndarray) -> np.ndarray:
    """What onnxruntime computes, image by image: the batch of these files is fixed at one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"input": image[None]})[0] for image in images])


def test_the_run_finds_target_and_scaling_and_purifies(done: Done) -> None:
    assert done.status == "done", done.run.data.get("failure")
    result = done.result
    assert result["arch"] == "onnx"
    assert result["target"] == card_of(VICTIM).target
    assert result["asr_before"] > 50, "81 to 88"
    assert result["asr_after"] < 20, "0"
    assert {"onnx_graph", "onnx_end", "onnx_batch"} <= {fact["code"] for fact in result["found"]}


def test_the_same_graph_is_handed_back_with_other_numbers_alone(done: Done) -> None:
    before, after = onnx.load(done.run.spec.weights), onnx.load(done.run.folder / "model.onnx")
    names = [tensor.name for tensor in before.graph.initializer]
    assert [tensor.name for tensor in after.graph.initializer] == names
    assert load_file(done.run.folder / "model.safetensors").keys() == set(names)
    assert set(done.run.data["outputs"]) == {"model.onnx", "model.safetensors", "model.pt"}
    for model in (before, after):
        del model.graph.initializer[:]
    assert before == after


def test_onnxruntime_answers_as_the_models_here_do(done: Done) -> None:
    given = material(done.run)
    images = given.pixels()[:40]
    subject = load_subject(done.run.spec, load("digits"))
    for path, model in zip(
        (Path(str(done.run.spec.weights)), done.run.folder / "model.onnx"), given.models, strict=True
    ):
        model.precision = torch.float32  # as onnxruntime computes; the run itself uses what is fastest
        with torch.inference_mode():
            ours = model(images).softmax(1).numpy()
            scaled = ((images - subject.model.mean) / subject.model.std).numpy()
        np.testing.assert_allclose(answers(path, scaled), ours, atol=1e-4)
