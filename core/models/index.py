"""Which of 1,400 networks may belong to a file of weights, without building them all.

``index.json`` holds, for each network of ours, of torchvision and of timm, a short hash of the names of its tensors
and of the widths of its normalisation layers: what does not depend on the number of classes, the channels of the
input or the size of the first kernel. The few that share a file's hash are then built and compared in full
(``core.models.identify``). A second hash is of the shapes alone, for files that have other names
(``core.models.parts``). ``python -m core.models.index`` adds what is new of ours; with ``--all``, where libraries or a
network have changed, it writes the whole index anew; with ``--shapes`` it adds the second hash where it is missing.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import torch

from core.models import ARCHITECTURES, build, vit

INDEX = Path(__file__).with_name("index.json")
COUNTERS = ".num_batches_tracked"  # batch norm counts its batches under this name; no answer depends on it
# networks whose size is in the name, in the sizes that are usual, for files that have other names
OF_ANY_SIZE = ("wrn16-2", "wrn16-4", "wrn16-8", "wrn28-1", "wrn28-2", "wrn28-10", "wrn40-1", "wrn40-2", "wrn40-4")
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
def _index(file: Path = INDEX) -> dict[str, dict[str, list[str]]]:
    return json.loads(file.read_text())


def names_for(shapes: Shapes) -> list[str]:
    """Networks that may have these tensors: ours first, then torchvision's, then those of timm that are no copies."""
    return _no_copies(_index()["networks"].get(signature(shapes), []))


def named_alike(structure: str) -> list[str]:
    """Networks of these shapes, whatever their names, in the same order; ``structure`` as
    ``core.models.parts.structure_of``."""
    return _no_copies(_index()["structures"].get(structure, []))


def _no_copies(names: list[str]) -> list[str]:
    known = {name.removeprefix("torchvision/") for name in names if name.startswith("torchvision/")}
    return [name for name in names if not (name.startswith("timm/") and name.removeprefix("timm/") in known)]


def unindexed(file: Path = INDEX) -> list[str]:
    """Networks of this project that were added after an index was written."""
    listed = {name for names in _index(file)["networks"].values() for name in names}
    return [name for name in ARCHITECTURES if name not in listed]


def add_ours(file: Path = INDEX) -> None:
    """Adds the networks of ours that are not in an index yet, shapes only."""
    found = json.loads(file.read_text())
    for name in unindexed(file):
        named, shaped = hashes(name)
        found["networks"].setdefault(named, []).insert(0, name)
        found["structures"].setdefault(shaped, []).insert(0, name)
    _write(file, found["versions"], found["networks"], found["structures"])


def add_shapes(file: Path = INDEX) -> None:
    """Adds by shape what an index has by name alone; takes two minutes.

    Plain vision transformers are left out: their shapes say all there is to know of them (``core.models.vit``).
    """
    found = json.loads(file.read_text())
    known = {name for names in found["structures"].values() for name in names}
    for name in (name for names in found["networks"].values() for name in names if name not in known):
        _note(name, {}, found["structures"])
    _write(file, found["versions"], found["networks"], found["structures"])


def write_index() -> None:
    """Builds every classifier, shapes only, and writes ``index.json`` anew. Takes some minutes."""
    import torchvision.models

    from core.models.library import timm

    names = [*ARCHITECTURES, *(f"torchvision/{n}" for n in torchvision.models.list_models(module=torchvision.models))]
    names += [f"timm/{name}" for name in timm().list_models()]
    networks: dict[str, list[str]] = {}
    structures: dict[str, list[str]] = {}
    for count, name in enumerate([*OF_ANY_SIZE, *names]):
        _note(name, {} if name in OF_ANY_SIZE else networks, structures)
        if count % 100 == 0:
            print(f"{count} of {len(names)}", flush=True)
    versions = {"torchvision": torchvision.__version__.split("+")[0], "timm": timm().__version__}
    _write(INDEX, versions, networks, structures)


def _note(name: str, networks: dict[str, list[str]], structures: dict[str, list[str]]) -> None:
    """Lists a network under its hashes, if it can be built."""
    try:
        named, shaped = hashes(name)
    except Exception as error:  # needs another package, or is no classifier with a linear layer
        print(f"{name}: left out, {type(error).__name__}", flush=True)
        return
    networks.setdefault(named, []).append(name)
    if shaped:
        structures.setdefault(shaped, []).append(name)


def hashes(name: str) -> tuple[str, str]:
    """Of a network's names, and of its shapes; the second is "" of a plain vision transformer."""
    from core.models.classifier import last_linear
    from core.models.library import without_memory
    from core.models.parts import structure_of

    if "/" in name:
        net = without_memory(name, 10)
    else:
        with torch.device("meta"):
            net = build(name, 10)
    head = last_linear(net)
    shapes = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    return signature(shapes), "" if any(vit.options(shapes)) else structure_of(net, head)


def _write(
    file: Path, versions: dict[str, str], networks: dict[str, list[str]], structures: dict[str, list[str]]
) -> None:
    tables = (
        ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(table.items()))
        for table in (networks, structures)
    )
    first, second = tables
    head = f'{{"versions": {json.dumps(versions)},\n"networks": {{\n{first}\n}},\n'
    file.write_text(f'{head}"structures": {{\n{second}\n}}}}\n')


if __name__ == "__main__":
    if "--all" in sys.argv:
        write_index()
    elif "--shapes" in sys.argv:
        add_shapes()
    else:
        add_ours()
