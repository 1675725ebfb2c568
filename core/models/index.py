"""Which of 1,400 networks may belong to a file of weights, without building them all.

``index.json`` holds, for each network of ours, of torchvision and of timm, a short hash of the names of its tensors
and of the widths of its normalisation layers: what does not depend on the number of classes, the channels of the
input or the size of the first kernel. The few that share a file's hash are then built and compared in full
(``core.models.identify``). ``python -m core.models.index`` adds what is new of ours; with ``--all``, where libraries or
a network have changed, it writes the whole index anew.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.models import ARCHITECTURES, build

INDEX = Path(__file__).with_name("index.json")
COUNTERS = ".num_batches_tracked"  # batch norm counts its batches under this name; no answer depends on it
HEADS = ("fc", "linear", "classifier", "head", "output", "out", "dense", "last_linear", "logits")

Shapes = Mapping[str, Sequence[int]]


def canonical(name: str) -> str:
    """The name of a tensor without the parts that differ between versions of one network: head and shortcuts."""
    path, _, leaf = name.rpartition(".")
    if path in HEADS:
        return f"<head>.{leaf}"
    return name.replace(".downsample.", ".shortcut.")


def signature(shapes: Shapes) -> str:
    """A hash that the weights of one architecture share, whatever their classes, channels or first kernel.

    Args:
        shapes: of the tensors, by name, in any order.
    """
    parts = []
    for name, shape in shapes.items():
        if not name.endswith(COUNTERS):
            norm = name.endswith(".weight") and len(shape) == 1
            parts.append(f"{canonical(name)}:{shape[0]}" if norm else canonical(name))
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:12]


@cache
def _networks() -> dict[str, list[str]]:
    return json.loads(INDEX.read_text())["networks"]


def names_for(shapes: Shapes) -> list[str]:
    """Networks that may have these tensors: ours first, then torchvision's, then those of timm that are no copies."""
    names = _networks().get(signature(shapes), [])
    known = {name.removeprefix("torchvision/") for name in names if name.startswith("torchvision/")}
    return [name for name in names if not (name.startswith("timm/") and name.removeprefix("timm/") in known)]


def unindexed() -> list[str]:
    """Networks of this project that were added after the index was written."""
    listed = {name for names in _networks().values() for name in names}
    return [name for name in ARCHITECTURES if name not in listed]


def add_ours() -> None:
    """Adds the networks of ours that are not in ``index.json`` yet, shapes only."""
    found = json.loads(INDEX.read_text())
    for name in unindexed():
        with torch.device("meta"):
            found["networks"].setdefault(signature(_shapes(build(name, 10))), []).insert(0, name)
    _write(found["versions"], found["networks"])


def write_index() -> None:
    """Builds every classifier, shapes only, and writes ``index.json`` anew. Takes some minutes."""
    import torchvision.models

    from core.models.classifier import last_linear
    from core.models.library import timm

    names = [*ARCHITECTURES, *(f"torchvision/{n}" for n in torchvision.models.list_models(module=torchvision.models))]
    names += [f"timm/{name}" for name in timm().list_models()]
    _leave_numbers_out()
    networks: dict[str, list[str]] = {}
    for count, name in enumerate(names):
        try:
            net = build(name, 10)
            last_linear(net)
        except Exception as error:  # needs another package, or is no classifier with a linear layer
            print(f"{name}: left out, {type(error).__name__}", flush=True)
            continue
        networks.setdefault(signature(_shapes(net)), []).append(name)
        if count % 100 == 0:
            print(f"{count} of {len(names)}", flush=True)
    _write({"torchvision": torchvision.__version__.split("+")[0], "timm": timm().__version__}, networks)


def _shapes(net: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in net.state_dict().items()}


def _write(versions: dict[str, str], networks: dict[str, list[str]]) -> None:
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(networks.items()))
    INDEX.write_text(f'{{"versions": {json.dumps(versions)},\n"networks": {{\n{lines}\n}}}}\n')


def _leave_numbers_out() -> None:
    """Makes filling a tensor with first values do nothing: memory that is never written costs nothing."""

    def same(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        return tensor

    for name in dir(nn.init):
        if name.endswith("_") and not name.startswith("_"):
            setattr(nn.init, name, same)
    for name in ("uniform_", "normal_", "erfinv_", "mul_", "add_", "clamp_", "zero_", "fill_"):
        setattr(torch.Tensor, name, same)


if __name__ == "__main__":
    write_index() if "--all" in sys.argv else add_ours()
