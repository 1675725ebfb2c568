"""The network of an ONNX file as a ``Candidate``: tried on noise, with its tensors under the file's names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from core.errors import BadInput
from core.found import Found
from core.models.identify import Candidate
from core.models.onnx import refusals
from core.models.onnx.build import Built, build
from core.models.onnx.constants import turned
from core.models.onnx.graph import Graph
from core.models.weights import Weights

ARCH = "onnx"
_SIDES = (32, 224, 28, 64)  # pixels, where neither graph nor images fit
_LARGEST_SIDE = 2048
_TOLERANCE = 1e-3  # of the largest logit


def graph_candidate(weights: Weights, size: tuple[int, int]) -> Candidate:
    """The network that the file's graph describes.

    Args:
        weights: as read, with their graph. size: of the images, pixels.

    Raises:
        BadInput: as ``core.models.onnx.build.build``; ``onnx_input``; ``onnx_fixed_batch``.
    """
    graph = weights.graph
    assert graph is not None
    built, channels = _first_that_fits(graph, size)
    _check_batch(graph, built, channels, size)
    claims = built.claims
    apart = turned(claims.names, claims.views, graph.constants)
    tensors = {
        key: apart[source].joined() if source in apart else graph.constants[source]
        for key, source in claims.names.items()
    }
    used = set(claims.names.values())
    aside = {name: value for name, value in graph.constants.items() if name not in used}
    taken = replace(
        weights, tensors=tensors, names=claims.names, apart=apart, aside=aside, told=claims.names,
        found=(*weights.found, *_found(graph, built)),
    )  # fmt: skip
    return Candidate(ARCH, built.classes, channels, taken, made=built.net, size=_fixed(built))


def _found(graph: Graph, built: Built) -> Iterator[Found]:
    facts: dict[str, str | int | float] = {"nodes": len(graph.nodes), "opset": graph.opset}
    text = (
        f"The graph of the file is the network ({len(graph.nodes)} operators, opset {graph.opset}); nothing in it is "
        "run but ONNX's standard operators."
    )
    yield Found("onnx_graph", text, facts)
    if built.head.end:
        text = f"The graph ends in {built.head.end}, which is left out here and kept in the file that is handed back."
        yield Found("onnx_end", text, {"name": built.head.end})
    if graph.input_dims[0]:
        text = f"The graph is made for batches of {graph.input_dims[0]}; here it is computed with any number of images."
        yield Found("onnx_batch", text, {"batch": graph.input_dims[0]})


def _fixed(built: Built) -> tuple[int, int] | None:
    height, width = built.net.size
    return (height, width) if height and width else None


def _first_that_fits(graph: Graph, size: tuple[int, int]) -> tuple[Built, int]:
    """The network and the channels of its input; if the graph leaves them free, the first number that works."""
    _, *dims = graph.input_dims
    last_channel = _last_channel(graph)
    given = dims[2] if last_channel else dims[0]
    sides = dims[:2] if last_channel else dims[1:]
    if given is not None and given not in (1, 3):
        raise refusals.odd_input(graph.path, f"images with {given} channels")
    if any(side is not None and side > _LARGEST_SIDE for side in sides):
        raise refusals.odd_input(graph.path, f"images of {sides[0]} x {sides[1]} pixels")
    sizes = [size, *((side, side) for side in _SIDES)] if None in sides else [size]
    fault: BadInput | None = None
    for height, width in dict.fromkeys((sides[0] or height, sides[1] or width) for height, width in sizes):
        for channels in (3, 1) if given is None else (given,):
            try:
                return build(graph, channels, (height, width), last_channel), channels
            except BadInput as error:
                if error.code != "onnx_broken":  # which may be the size of the images
                    raise
                fault = fault or error
    assert fault is not None
    _own_batch(graph, size, last_channel)
    raise fault


def _own_batch(graph: Graph, size: tuple[int, int], last_channel: bool) -> None:
    """Refuses a graph that works with its own batch size only."""
    batch, *dims = graph.input_dims
    channels, height, width = (dims[2], *dims[:2]) if last_channel else dims
    if not batch or batch > _LARGEST_SIDE:
        return
    try:
        build(graph, channels or 3, (height or size[0], width or size[1]), last_channel, batch)
    except BadInput:
        return
    raise refusals.fixed_batch(graph.path, batch)


def _last_channel(graph: Graph) -> bool:
    """Whether the images come as (n, h, w, c), as TensorFlow has them."""
    _, first, _, last = graph.input_dims
    if first in (1, 3):
        return False
    turned_first = any(
        node.op == "Transpose" and graph.input in node.inputs and node.attributes.get("perm") == [0, 3, 1, 2]
        for node in graph.nodes
    )
    return last in (1, 3) or turned_first


def _check_batch(graph: Graph, built: Built, channels: int, size: tuple[int, int]) -> None:
    """Refuses a graph whose result for an image depends on the other images of the batch; tried on two images of
    noise."""
    height, width = (fixed or side for fixed, side in zip(built.net.size, size, strict=True))
    noise = torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            together = built.net(noise)
            apart = torch.cat([built.net(image[None]) for image in noise])
    except (RuntimeError, ValueError, IndexError, TypeError, KeyError) as error:
        raise refusals.broken(graph.path, (str(error).splitlines() or [""])[0]) from error
    scale = float(apart.abs().max().nan_to_num()) + 1e-6
    if together.shape != apart.shape or float((together - apart).abs().max().nan_to_num()) > _TOLERANCE * scale:
        raise refusals.fixed_batch(graph.path, graph.input_dims[0] or 1)
