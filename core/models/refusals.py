"""Limits for files of weights, and the sentences that refuse a file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.compute.free_memory import free_memory
from core.errors import BadInput
from core.file_kinds import Kind, refusal
from core.models.pickle_values import Damaged, Described, Unusable
from core.models.unwrap import Unwrapped, unwrap

MAX_BYTES = 4 * 2**30  # bytes of a file, and of its tensors; far above any image classifier this tool is for
LARGEST_HEADER = 64 * 2**20  # bytes of a list of tensors
MAX_TENSORS = 50_000
MAX_RATIO = 16  # of the tensors' bytes to those of the file, which stores shared weights once
_SLACK = 2**20
_LONGEST_NAME = 500  # characters of a tensor's name
_LONGEST_SHOWN = 160


def too_large(path: Path) -> BadInput:
    return BadInput(
        "weights_too_large",
        f"{path.name} is refused: the file, or what it unpacks to, is larger than {MAX_BYTES // 2**30} GB, more than "
        "memory holds, or far more than its own size.",
        file=path.name, limit=MAX_BYTES // 2**30,
    )  # fmt: skip


def damaged(path: Path, error: Exception) -> BadInput:
    reason = (str(error).splitlines() or [""])[0].strip().rstrip(".")[:_LONGEST_SHOWN] or type(error).__name__
    return BadInput(
        "weights_damaged",
        f"{path.name} is damaged or cut short and cannot be read as weights ({reason}).",
        file=path.name, reason=reason,
    )  # fmt: skip


def wants_code(path: Path, name: str) -> BadInput:
    name = name[:_LONGEST_SHOWN]
    return BadInput(
        "weights_want_code",
        f"{path.name} asks for {name} to be executed, which is refused: it is more than plain weights; save the "
        "network's state_dict alone, as safetensors or with torch.save.",
        file=path.name, name=name,
    )  # fmt: skip


def odd_numpy(path: Path, kind: str) -> BadInput:
    return BadInput(
        "weights_odd_numpy",
        f"{path.name} holds a NumPy value of the type {kind} beside the weights. Only numbers and text are read; save "
        "the network's state_dict alone, as safetensors or with torch.save.",
        file=path.name, kind=kind,
    )  # fmt: skip


def other_pickle(path: Path) -> BadInput:
    return BadInput(
        "weights_other_pickle",
        f"{path.name} is a pickle that PyTorch did not write (of NumPy arrays, for example); load it, and save the "
        "network's state_dict as safetensors or with torch.save.",
        file=path.name,
    )


def other_protocol(path: Path) -> BadInput:
    return BadInput(
        "weights_pickle_protocol",
        f"{path.name} was written with a newer pickle protocol than torch.load reads without running code; save it "
        "again with torch.save without pickle_protocol, or as safetensors.",
        file=path.name,
    )


def quantised(path: Path, kind: str) -> BadInput:
    return BadInput(
        "weights_quantised",
        f"{path.name} holds a quantised network ({kind}), and whole numbers cannot be trained on; give the weights "
        "from before its quantisation, and quantise the purified ones.",
        file=path.name, kind=kind,
    )  # fmt: skip


def encrypted(path: Path) -> BadInput:
    return BadInput(
        "weights_encrypted",
        f"{path.name} is encrypted; unpack it with its password, and give the file of weights that is inside.",
        file=path.name,
    )


def torchscript(path: Path) -> BadInput:
    return BadInput(
        "weights_torchscript",
        f"{path.name} is a TorchScript archive, which is a program and not plain weights, and is refused; export "
        "the network as ONNX (torch.onnx.export), or save its state_dict, as safetensors or with torch.save.",
        file=path.name,
    )


def only_an_index(path: Path, missing: str) -> BadInput:
    missing = missing or "(?)"
    return BadInput(
        "weights_only_an_index",
        f"{path.name} only lists the files that a network is spread over, and {missing} is not a file "
        "beside it; put all into one folder, or join them into one file (load all and save the state_dict), and give "
        "that.",
        file=path.name, missing=missing,
    )  # fmt: skip


def unknown_format(path: Path, kind: Kind | None) -> BadInput:
    """``kind``: what the file is, where that is known."""
    if kind is not None:
        return refusal(kind, path.name, "weights")
    return BadInput(
        "weights_unknown_format",
        f"{path.name} is not in a format of weights, to go by its content; use a .safetensors file, a PyTorch "
        "state_dict, a .pt2 archive or an .onnx file.",
        file=path.name,
    )


def odd_tensor(path: Path, name: str) -> BadInput:
    return BadInput(
        "weights_odd_tensor",
        f"{path.name} cannot be used: the tensor {name} is sparse, quantised, complex or without values; save the "
        "network with plain numbers.",
        file=path.name, name=name,
    )  # fmt: skip


def not_finite(path: Path, name: str) -> BadInput:
    return BadInput(
        "weights_not_finite",
        f"{path.name} cannot be used: the tensor {name} holds values that are not numbers (NaN) or infinite, so the "
        "network cannot answer.",
        file=path.name, name=name,
    )  # fmt: skip


def is_plain(value: Tensor) -> bool:
    """Whether a tensor is numbers in a row, as networks compute with them."""
    tiny = value.is_floating_point() and value.element_size() == 1  # eight bits hold no step of a training
    return value.layout == torch.strided and not (value.is_meta or value.is_quantized or value.is_complex() or tiny)


def chosen(path: Path, content: Any, is_tensor: Callable[[Any], bool]) -> Unwrapped:
    """The network's tensors in what a file holds.

    Raises:
        BadInput: there are none, too many, or some that are not plain numbers.
    """
    found = unwrap(content, is_tensor)
    if found is None:
        raise BadInput(
            "weights_none_inside",
            f"{path.name} can be read, but it holds no dictionary of named tensors; save the network's state_dict.",
            file=path.name,
        )
    if len(found.tensors) > MAX_TENSORS:
        raise Damaged(f"it names more than {MAX_TENSORS} tensors")
    if not all(name.isprintable() and len(name) <= _LONGEST_NAME for name in (*found.path, *found.tensors)):
        raise Damaged(f"a name in it has more than {_LONGEST_NAME} characters, or some that cannot be printed")
    for name, value in found.tensors.items():
        if isinstance(value, Unusable) or (isinstance(value, Tensor) and not is_plain(value)):
            raise odd_tensor(path, name)
    return found


def check_room(path: Path, described: Iterable[Described], held: int) -> None:
    """Refuses tensors that would take far more room than the ``held`` bytes they lie in, or than there is."""
    total = sum(value.bytes for value in described)
    if total > MAX_RATIO * held + _SLACK or total > min(MAX_BYTES, free_memory() // 2):
        raise too_large(path)


def check_memory(path: Path, needed: int) -> None:
    """Refuses what would take more memory, in bytes, than is free."""
    if needed > free_memory():
        raise too_large(path)


def check_archive(path: Path, archive: zipfile.ZipFile, size: int) -> list[str]:
    """The names in a zip of ``size`` bytes, after its directory has been judged; nothing is unpacked yet."""
    records = archive.infolist()
    names = [record.filename for record in records]
    if not names or len(names) > 2 * MAX_TENSORS:
        raise Damaged("its directory has no entries, or too many")
    if len(set(names)) < len(names):
        raise Damaged("two of its records have the same name")
    # records that overlap, or that shrink a thousandfold: a bomb
    if sum(record.compress_size for record in records) > size:
        raise too_large(path)
    if sum(record.file_size for record in records) > min(MAX_BYTES, MAX_RATIO * size + _SLACK):
        raise too_large(path)
    return names
