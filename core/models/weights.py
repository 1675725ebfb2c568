"""Weights one does not trust, by name, and writing them back as they came."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.errors import BadInput
from core.file_kinds import folder_for_weights
from core.found import Found
from core.models import build
from core.models.classifier import Classifier
from core.models.index import COUNTERS
from core.models.refusals import not_finite, odd_tensor
from core.models.rewrites import TakenApart, place_of
from core.models.unwrap import Unwrapped, common_prefix

if TYPE_CHECKING:
    from core.models.onnx.graph import Graph

AVERAGED_COUNT = "n_averaged"
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.")  # as Hugging Face names the parts of a large file; not "fold-1-of-5"


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and what stood around them.

    ``tensors``: in the order, with the types of the file, names without ``prefix``. ``prefix``: what every name
    began with in the file ("module." or ""). ``found``: what there is to say about the file. ``names``: where a
    tensor goes by another name than in the file, the file's name (without the prefix). ``aside``: tensors that are
    the network's wrapper's, by their names in the file; they go out as they came. ``apart``: of those that the file
    has in two parts (``core.models.rewrites``), by the name they are put together under. ``scaling``: of the input,
    as ``--normalize`` takes it, where the file holds a layer for it. ``told``: those of ``names`` that ``found`` has
    accounted for. ``graph``: of an ONNX file, which says what the network is.
    """

    tensors: dict[str, Tensor]
    prefix: str = ""
    found: tuple[Found, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    aside: Mapping[str, Tensor] = field(default_factory=dict)
    apart: Mapping[str, TakenApart] = field(default_factory=dict)
    scaling: str = ""
    told: Mapping[str, str] = field(default_factory=dict)
    graph: Graph | None = None

    def renamed(self, names: Mapping[str, str]) -> Weights:
        """The same tensors in the same order, by new names; ``names``: new to those they have now."""
        new = {old: name for name, old in names.items()}
        in_file = {name: self.names.get(old, old) for name, old in names.items()}
        return replace(self, tensors={new[name]: value for name, value in self.tensors.items()}, names=in_file)

    def as_in_file(self) -> Weights:
        """The same tensors under the very names of the file, prefix and all; of what is in parts, the whole."""
        tensors = {self.prefix + self.names.get(name, name): value for name, value in self.tensors.items()}
        apart = {
            self.prefix + place: replace(taken, parts={self.prefix + part: old for part, old in taken.parts.items()})
            for place, taken in self.apart.items()
        }
        return replace(self, tensors={**self.aside, **tensors}, prefix="", names={}, aside={}, apart=apart)

    def names_in_network(self) -> dict[str, str]:
        """For each tensor of the network in the file, prefix and all, the name that it has there; of what is in parts,
        the whole's."""
        found: dict[str, str] = {}
        for name in self.tensors:
            place = self.names.get(name, name)
            parts = self.apart[place].parts if place in self.apart else (place,)
            found |= {self.prefix + part: name for part in parts}
        return found

    def other_names(self) -> dict[str, str]:
        """Of ``names_in_network``, those that are more than a prefix apart."""
        return {old: new for old, new in self.names_in_network().items() if old.removeprefix(self.prefix) != new}

    def named_as_in_file(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``tensors`` under the names, in the order and with the types of the file they came from.

        A tensor of the file that ``tensors`` does not have stays as it was; one that the file does not have is left
        out: a class that loads the file with ``strict=True`` loads the result as well. What is there under two names is
        changed under both.
        """
        changed = {place_of(value): tensors[name] for name, value in self.tensors.items() if name in tensors}
        found = {
            name: changed.get(place_of(value), value).detach().to("cpu", value.dtype)
            for name, value in self.aside.items()
        }
        for name, value in self.tensors.items():
            place, new = self.names.get(name, name), tensors.get(name, value).detach().to("cpu", value.dtype)
            taken = self.apart.get(place)
            parts = taken.apart(new) if taken else {place: new}
            found |= {self.prefix + part: tensor for part, tensor in parts.items()}
        return found


def read_weights(path: str | Path) -> Weights:
    """The weights of a safetensors, PyTorch or ONNX file or of a ``torch.export`` archive, on the CPU.

    Raises:
        BadInput: as ``core.models.onnx.graph.read_graph``;
            ``weights_not_found``, ``weights_is_folder``, ``folder_without_weights``;
            ``weights_too_large`` (also when unpacked);
            ``weights_unknown_format`` or, where it is known what else the file is, as ``core.file_kinds.refusal``;
            ``weights_other_pickle``, ``weights_pickle_protocol``, ``weights_encrypted``, ``weights_only_an_index``,
            ``weights_sharded``, ``weights_torchscript``, ``weights_damaged``, ``weights_want_code``,
            ``weights_none_inside``, ``weights_odd_numpy``, ``weights_odd_tensor`` (sparse, quantised, complex, empty,
            packed), ``weights_quantised``, ``weights_not_finite``.
    """
    from core.models.reading import open_weights

    path = Path(path)
    if os.path.isdir(path):
        raise folder_for_weights(path, str(path))
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        raise BadInput(
            "weights_not_found",
            f"There is no file {path} that can be read; give a file of weights (.safetensors, a PyTorch state_dict, "
            "a .pt2 archive or an .onnx file).",
            path=str(path),
        )
    if (part := _SHARD.search(path.name)) and int(part[2]) > 1:
        raise BadInput(
            "weights_sharded",
            f"{path.name} is one of {int(part[2])} files that together are a network; give the index beside "
            "it (.index.json), or join them into one file (load all and save the state_dict), and give that.",
            file=path.name, count=int(part[2]),
        )  # fmt: skip
    content = open_weights(path)
    tensors = content.unwrapped.tensors
    for name, value in tensors.items():
        # a graph has masks and bounds that are infinite among its tensors: its weights are judged when it is built
        if content.graph is None and value.is_floating_point() and not _finite(path, name, value):
            raise not_finite(path, name)
    if content.graph is not None:
        found = _found(content.format, content.unwrapped, "")
        aside = {name: value for name, value in content.graph.constants.items() if name not in tensors}
        return Weights(tensors, found=tuple(found), aside=aside, graph=content.graph)
    aside = _aside(tensors)
    inside = {name: value for name, value in tensors.items() if name not in aside}
    prefix = common_prefix(list(inside))
    found = _found(content.format, content.unwrapped, prefix)
    if aside and not content.unwrapped.only_averaged:
        found.append(_only_averaged(AVERAGED_COUNT))
    short = {name.removeprefix(prefix): value for name, value in inside.items()}
    return Weights(short, prefix, tuple(found), aside=aside)


def _aside(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The count that ``torch.optim.swa_utils.AveragedModel`` keeps beside the network it wraps."""
    others = [name for name in tensors if name != AVERAGED_COUNT]
    wrapped = AVERAGED_COUNT in tensors and common_prefix(others).startswith("module.")
    return {AVERAGED_COUNT: tensors[AVERAGED_COUNT]} if wrapped else {}


def _only_averaged(key: str) -> Found:
    return Found("only_averaged", f"The only weights are a moving average ({key}); they were taken.", {"key": key})


def _finite(path: Path, name: str, value: Tensor) -> bool:
    try:
        return bool(torch.isfinite(value.float()).all())
    except NotImplementedError as error:  # two numbers in a byte, for example: torch has the type and cannot copy it
        raise odd_tensor(path, name) from error


def _found(format: str, unwrapped: Unwrapped, prefix: str) -> list[Found]:
    """What was met on the way to the tensors, in words."""
    names = {
        "safetensors": "safetensors", "pytorch": "PyTorch", "legacy": "PyTorch < 1.6", "export": "torch.export",
        "onnx": "ONNX", "shards": "safetensors (in parts)",
    }  # fmt: skip
    tensors = unwrapped.tensors
    count, numbers = len(tensors), sum(value.numel() for value in tensors.values())
    found = [
        Found(
            "file",
            f"A file of {names[format]} with {count} tensors, {numbers:,} numbers.",
            {"format": names[format], "tensors": count, "numbers": numbers},
        )
    ]
    if unwrapped.path:
        where = " → ".join(unwrapped.path)
        found.append(Found("wrapper", f"The weights were inside {where}.", {"where": where}))
    if unwrapped.averaged:
        key = unwrapped.averaged
        text = f"A moving average of the weights ({key}) is there too; the plain weights were taken."
        found.append(_only_averaged(key) if unwrapped.only_averaged else Found("averaged", text, {"key": key}))
    if unwrapped.beside:
        listed = [name if value is None else f"{name} = {_brief(value)}" for name, value in unwrapped.beside.items()]
        what = ", ".join(item[:60] for item in listed[:12] if item.isprintable())
        found.append(Found("beside", f"Beside the weights, and left aside: {what}.", {"what": what}))
    if prefix:
        found.append(Found("prefix", f"Every name began with {prefix}, and will again.", {"prefix": prefix}))
    kinds = ", ".join(sorted({str(value.dtype)[6:] for value in tensors.values() if value.is_floating_point()}))
    if kinds not in ("", "float32"):
        text = f"The numbers are {kinds}; they are computed with as float32 and written back as they came."
        found.append(Found("precision", text, {"kinds": kinds}))
    return found


def _brief(value: str | int | float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def classifier(
    weights: Weights, arch: str, num_classes: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> Classifier:
    """The network ``arch`` with these weights, in evaluation mode, on the CPU.

    Raises:
        BadInput: unknown architecture, or weights that do not fit, naming the first that does not.
    """
    net = fill(build(arch, num_classes), weights, arch, num_classes).eval()
    # channels_last: the layout in which convolutions are fastest, on CPUs as on GPUs
    return Classifier(net, mean, std).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def fill(net: torch.nn.Module, weights: Weights, arch: str, num_classes: int) -> torch.nn.Module:
    """``net`` with these weights in it, every name and shape as it should be.

    Raises:
        BadInput: ``weights_do_not_fit`` or ``weights_left_over``, naming the first tensor that does not fit.
    """
    wanted = {name: value.shape for name, value in net.state_dict().items()}
    for name, shape in wanted.items():
        if name.endswith(COUNTERS) and name not in weights.tensors:
            continue
        if name not in weights.tensors or weights.tensors[name].shape != shape:
            given = tuple(weights.tensors[name].shape) if name in weights.tensors else "missing"
            raise BadInput(
                "weights_do_not_fit",
                f"The weights do not fit {arch} with {num_classes} classes: {name} should have the shape "
                f"{tuple(shape)} and is {given}.",
                arch=arch, classes=num_classes, name=name, wanted=str(tuple(shape)), given=str(given),
            )  # fmt: skip
    extra = sorted(set(weights.tensors) - set(wanted))
    if extra:
        raise BadInput(
            "weights_left_over",
            f"The weights hold {len(extra)} tensors that {arch} does not have, {extra[0]} among them.",
            arch=arch, count=len(extra), name=extra[0],
        )  # fmt: skip
    net.load_state_dict(weights.tensors, strict=False)
    return net


def save_weights(path: str | Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes named tensors as safetensors, atomically."""
    from safetensors.torch import save

    from core.files import write_atomic

    write_atomic(Path(path), save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}))
