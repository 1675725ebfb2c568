"""The sentences that refuse an ONNX file."""

from __future__ import annotations

from pathlib import Path

from core.errors import BadInput

_LONGEST_SHOWN = 120


def external(path: Path, tensor: str, where: str) -> BadInput:
    return BadInput(
        "onnx_external",
        f"{path.name} keeps the tensor {_short(tensor)} in another file ({_short(where)}), which is not opened; save "
        "the model with its weights inside (onnx.save without save_as_external_data).",
        file=path.name, name=_short(tensor), where=_short(where),
    )  # fmt: skip


def domain(path: Path, operator: str, domain: str) -> BadInput:
    return BadInput(
        "onnx_domain",
        f"{path.name} uses the operator {_short(operator)} of {_short(domain)}, which is not one of ONNX's own; export "
        "the model with standard operators alone.",
        file=path.name, name=_short(operator), domain=_short(domain),
    )  # fmt: skip


def operator(path: Path, operator: str) -> BadInput:
    return BadInput(
        "onnx_operator",
        f"{path.name} uses the operator {_short(operator)} in a way that Dissolve does not compute; only the usual "
        "operators of image classifiers are read. Give the weights as safetensors or a state_dict, with --arch or "
        "--model-class.",
        file=path.name, name=_short(operator),
    )  # fmt: skip


def subgraph(path: Path, operator: str) -> BadInput:
    return BadInput(
        "onnx_subgraph",
        f"{path.name} holds a graph within the graph ({_short(operator)}: a branch, a loop or a function of its own), "
        "which is not run; export the model in evaluation mode, by tracing, without local functions.",
        file=path.name, name=_short(operator),
    )  # fmt: skip


def quantised(path: Path, operator: str) -> BadInput:
    return BadInput(
        "onnx_quantised",
        f"{path.name} is a quantised model ({_short(operator)}), and whole numbers cannot be trained on; give the "
        "model in floating point from before its quantisation, and quantise the purified one.",
        file=path.name, name=_short(operator),
    )  # fmt: skip


def version(path: Path, opset: int, lowest: int, highest: int) -> BadInput:
    return BadInput(
        "onnx_version",
        f"{path.name} is of version {opset} of ONNX's operators; {lowest} to {highest} are read. Export it again with "
        "opset_version=17.",
        file=path.name, opset=opset, lowest=lowest, highest=highest,
    )  # fmt: skip


def no_graph(path: Path) -> BadInput:
    return BadInput(
        "onnx_no_graph",
        f"{path.name} is a Protocol Buffers file without an ONNX graph, like TensorFlow's saved_model.pb or a Core ML "
        "model; export the network as ONNX.",
        file=path.name,
    )


def broken(path: Path, reason: str) -> BadInput:
    return BadInput(
        "onnx_broken",
        f"{path.name} is no graph that can be computed: {_short(reason)}.",
        file=path.name, reason=_short(reason),
    )  # fmt: skip


def odd_input(path: Path, given: str) -> BadInput:
    return BadInput(
        "onnx_input",
        f"{path.name} takes {_short(given)}, and not one batch of images with 1 or 3 channels; export the classifier "
        "alone, with images of the shape (n, channels, height, width) as its only input.",
        file=path.name, given=_short(given),
    )  # fmt: skip


def odd_output(path: Path, given: str) -> BadInput:
    return BadInput(
        "onnx_output",
        f"{path.name} answers with {_short(given)}, and not with one number for each of two or more classes; export "
        "the classifier with its logits, or their softmax, as the first output.",
        file=path.name, given=_short(given),
    )  # fmt: skip


def no_head(path: Path, operator: str) -> BadInput:
    return BadInput(
        "onnx_no_head",
        f"The answers of {path.name} come from {_short(operator)} and not from a linear layer or a 1 x 1 convolution, "
        "so it has no penultimate features to look at; use a network that ends in one.",
        file=path.name, name=_short(operator),
    )  # fmt: skip


def fixed_batch(path: Path, batch: int) -> BadInput:
    return BadInput(
        "onnx_fixed_batch",
        f"{path.name} computes with batches of {batch} alone, and cannot be given more images at a time; export it "
        "with a batch axis that is free (dynamic_axes or dynamic_shapes).",
        file=path.name, batch=batch,
    )  # fmt: skip


def shared(path: Path, tensor: str) -> BadInput:
    return BadInput(
        "onnx_shared_tensor",
        f"{path.name} uses the tensor {_short(tensor)} in two ways that training would tear apart; export it with each "
        "weight as a tensor of its own.",
        file=path.name, name=_short(tensor),
    )  # fmt: skip


def _short(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return (line[:_LONGEST_SHOWN] + "…" if len(line) > _LONGEST_SHOWN else line) or "(no name)"
