"""The tensors of a ``torch.export`` archive (.pt2), without running or rebuilding its program.

Since PyTorch 2.9 the archive holds, for each model, a JSON list of its weights (name, shape, strides, type and the
record the numbers lie in). Before that it held one file of ``torch.save``. ``torch.export.load`` would unpickle in
full; this reads the JSON and the numbers.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.models.pickle_values import MOST_DIMENSIONS, Damaged, Described, Storage, checked, whole
from core.models.refusals import LARGEST_HEADER, MAX_TENSORS, check_room, chosen, odd_tensor
from core.models.torch_files import read_inner
from core.models.unwrap import Unwrapped

# numbers of torch._export.serde.schema.ScalarType
_TYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip
_STRIDED = 7
_CONFIG = "_weights_config.json"


def read_program(path: Path, archive: zipfile.ZipFile, root: str) -> Unwrapped:
    """The state_dict of the archive's model; of several models the one called ``model``, or the first.

    Raises:
        Damaged: the archive's list of weights does not agree with its records.
        BadInput: the tensors are too large, or not plain numbers.
    """
    folder = f"{root}data/weights/"
    names = set(archive.namelist())
    models = sorted(
        (name.removeprefix(folder).removesuffix(_CONFIG) for name in names if name.endswith(_CONFIG)),
        key=lambda name: (name != "model", name),
    )
    if not models:
        return _inner(path, archive, sorted(name for name in names if name.startswith(folder) and ".pt" in name))
    config = _json(archive, f"{folder}{models[0]}{_CONFIG}")["config"]
    if len(config) > MAX_TENSORS:
        raise Damaged(f"it names more than {MAX_TENSORS} tensors")
    order = archive.read(f"{root}byteorder").decode() if f"{root}byteorder" in names else "little"
    if order not in ("little", "big"):
        raise Damaged("an unknown order of bytes")
    planned = {str(name): _Entry(path, archive, folder, str(name), entry) for name, entry in config.items()}
    check_room(path, (entry.described for entry in planned.values()), sum(i.file_size for i in archive.infolist()))
    read = _read(archive, planned, order)
    return chosen(path, {name: read[name] for name in planned}, lambda value: isinstance(value, Tensor))


def read_old_program(path: Path, archive: zipfile.ZipFile) -> Unwrapped:
    """The state_dict of an archive of PyTorch 2.1 to 2.8."""
    return _inner(path, archive, [n for n in archive.namelist() if n.startswith("serialized_state_dict.")])


def _inner(path: Path, archive: zipfile.ZipFile, names: list[str]) -> Unwrapped:
    if not names:
        raise Damaged("the archive has no weights")
    return read_inner(path, archive.read(names[0]))


def _json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    if archive.getinfo(name).file_size > LARGEST_HEADER:
        raise Damaged("its list of tensors is too long")
    return json.loads(archive.read(name))


def _read(archive: zipfile.ZipFile, planned: dict[str, _Entry], order: str) -> dict[str, Tensor]:
    """The tensors by name; each record is read once, however many tensors lie in it, and then let go."""
    together: dict[str, list[str]] = {}
    for name, entry in planned.items():
        together.setdefault(entry.record if entry.described.bytes else "", []).append(name)
    tensors = {}
    for record, names in together.items():
        content = bytearray(archive.read(record)) if record else bytearray()
        tensors.update({name: planned[name].tensor(content, order) for name in names})
    return tensors


class _Entry:
    """One tensor of the list, held against the record it lies in."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, folder: str, name: str, entry: dict[str, Any]) -> None:
        meta = entry["tensor_meta"]
        if entry["use_pickle"] or meta["layout"] != _STRIDED or meta["dtype"] not in _TYPES:
            raise odd_tensor(path, name)
        self.dtype = _TYPES[meta["dtype"]]
        self.shape, self.stride = (tuple(item["as_int"] for item in meta[key]) for key in ("sizes", "strides"))
        self.offset = meta["storage_offset"]["as_int"]
        if len(self.shape) != len(self.stride) or len(self.shape) > MOST_DIMENSIONS:
            raise Damaged("a tensor with an impossible shape")
        if not all(map(whole, (self.offset, *self.shape, *self.stride))):
            raise Damaged("a tensor with an impossible shape")
        self.record = f"{folder}{entry['path_name']}"
        width = self.dtype.itemsize
        storage = Storage(self.record, archive.getinfo(self.record).file_size // width, width)
        self.described: Described = checked(storage, self.offset, self.shape, self.stride, width)

    def tensor(self, record: bytearray, order: str) -> Tensor:
        """The numbers, laid out whole. ``record``: all bytes of ``self.record``, in this ``order``."""
        if self.described.bytes == 0:
            return torch.zeros(self.shape, dtype=self.dtype)
        width = self.dtype.itemsize
        numbers = torch.frombuffer(record, dtype=self.dtype, count=len(record) // width)
        tensor = numbers.as_strided(self.shape, self.stride, self.offset).clone(memory_format=torch.contiguous_format)
        if order != sys.byteorder:
            swapped = tensor.view(-1).view(torch.uint8).view(-1, width).flip(1).reshape(-1)
            tensor = swapped.view(self.dtype).view(self.shape)
        return tensor
