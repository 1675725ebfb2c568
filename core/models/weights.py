"""Reading weights one does not trust, and writing them back as they came.

A file is told apart by its first bytes, never by its name, and no file is ever unpickled in full:
safetensors holds no code, and PyTorch's own formats are read with ``weights_only=True``, which
refuses everything but tensors and plain containers.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import BadInput
from core.models import ARCHITECTURES, build
from core.models.classifier import Classifier

LARGEST = 4 * 2**30  # bytes; far above any image classifier this tool is for
WRAPPERS = ("state_dict", "model_state_dict", "net_state_dict", "model", "net", "weights")


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and what stood around them.

    ``tensors``: names without ``prefix``. ``prefix``: what every name began with in the file ("module." or "").
    """

    tensors: dict[str, Tensor]
    prefix: str = ""

    def named_as_in_file(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """``tensors`` under the names of the file they came from."""
        return {self.prefix + name: value for name, value in tensors.items()}


def _refuse(path: Path, reason: str) -> BadInput:
    return BadInput(
        "weights_unreadable",
        f"{path.name} cannot be read as weights: {reason}; use a .safetensors file or a PyTorch state_dict.",
        file=path.name,
        reason=reason,
    )


def read_weights(path: str | Path) -> Weights:
    """The weights of a safetensors or PyTorch file, on the CPU.

    Raises:
        BadInput: there is no such file; it is too large, damaged, of another kind, or wants code executed.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(
            "weights_not_found",
            f"There is no file {path}; give a file of weights (.safetensors or a PyTorch state_dict).",
            path=str(path),
        )
    if path.stat().st_size > LARGEST:
        raise _refuse(path, f"it has more than {LARGEST // 2**30} GB")
    with path.open("rb") as file:
        head = file.read(16)
    content = _read_safetensors(path) if _is_safetensors(head, path.stat().st_size) else _read_torch(path, head)
    tensors = _unwrap(content)
    if not tensors:
        raise _refuse(path, "it holds no dictionary of named tensors")
    for name, value in tensors.items():
        if value.layout != torch.strided or value.is_meta or value.is_quantized:
            raise _refuse(path, f"the tensor {name} is sparse, quantised or without values")
    prefix = "module." if all(name.startswith("module.") for name in tensors) else ""
    return Weights({name.removeprefix(prefix): value for name, value in tensors.items()}, prefix)


def _is_safetensors(head: bytes, size: int) -> bool:
    return len(head) >= 9 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= size


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, json.JSONDecodeError) as error:
        raise _refuse(path, f"the safetensors file is damaged ({error})") from error


def _read_torch(path: Path, head: bytes) -> Any:
    if not (head.startswith(b"PK") or head[:1] == b"\x80"):
        raise _refuse(path, "its first bytes are neither those of safetensors nor those of PyTorch")
    try:
        with path.open("rb") as file:  # torch goes by the name, given a path that ends in .safetensors
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile file can make the reader fail in any way; none of them may end the process
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "Unsupported" in str(error) or "GLOBAL" in str(error) or "weights_only" in str(error).lower():
            raise _refuse(
                path, f"it asks for code to be executed, which is refused ({_asked_for(str(error))})"
            ) from error
        raise _refuse(path, f"the PyTorch file is damaged ({text[:200]})") from error


def _asked_for(message: str) -> str:
    """The global that a refused file asked for, from torch's message."""
    import re

    found = re.search(r"GLOBAL ([\w.]+)", message)
    return found.group(1) if found else "torch names no global"


def _unwrap(content: Any, depth: int = 4) -> dict[str, Tensor]:
    """The named tensors inside a checkpoint dictionary; ``depth`` bounds one that holds itself."""
    if not isinstance(content, dict):
        return {}
    for name in WRAPPERS if depth else ():
        if inner := _unwrap(content.get(name), depth - 1):
            return inner
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def fitting_architecture(weights: Weights) -> tuple[str, int]:
    """The network of our own whose names and shapes these weights have, and its number of classes.

    Raises:
        BadInput: none fits.
    """
    matrices = [value for value in weights.tensors.values() if value.ndim == 2]
    classes = len(matrices[-1]) if matrices else 0
    shapes = {name: value.shape for name, value in weights.tensors.items()}
    for arch in ARCHITECTURES if 2 <= classes <= 100_000 else ():
        with torch.device("meta"):  # shapes only, no memory
            net = build(arch, classes)
        if {name: value.shape for name, value in net.state_dict().items()} == shapes:
            return arch, classes
    raise BadInput(
        "no_architecture_fits",
        f"These weights fit none of the networks {', '.join(ARCHITECTURES)}; name theirs with --arch, "
        "for example torchvision/resnet18.",
        allowed=", ".join(ARCHITECTURES),
    )


def classifier(
    weights: Weights, arch: str, num_classes: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> Classifier:
    """The network ``arch`` with these weights, in evaluation mode, on the CPU.

    Raises:
        BadInput: unknown architecture, or weights that do not fit, naming the first that does not.
    """
    net = build(arch, num_classes)
    wanted = {name: value.shape for name, value in net.state_dict().items()}
    for name, shape in wanted.items():
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
    net.load_state_dict(weights.tensors)
    # channels_last: the layout in which convolutions are fastest, on CPUs as on GPUs
    return Classifier(net, mean, std).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def save_weights(path: str | Path, tensors: dict[str, Tensor]) -> None:
    """Writes named tensors as safetensors, atomically."""
    from safetensors.torch import save

    from core.runs.files import write_atomic

    write_atomic(Path(path), save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}))
