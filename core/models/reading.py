"""Opening files of weights: safetensors, PyTorch's two formats, archives of ``torch.export``, and ONNX.

A file is told apart by its first bytes, never by its name, and nothing in it is ever executed: safetensors holds no
code; PyTorch's own formats are described first (``core.models.pickled``), judged, and only then read, with
``weights_only=True``; of an exported program only the tensors are taken; an ONNX file is a graph of standard operators,
which is judged too (``core.models.onnx``). Sizes are judged before anything is unpacked.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from torch import Tensor

from core.errors import BadInput
from core.file_kinds import kind_of, kind_of_zip
from core.models import refusals
from core.models.exported import read_old_program, read_program
from core.models.pickle_values import Damaged, OddNumpy, OtherPickle, OtherProtocol, QuantisedValues, WantsCode
from core.models.torch_files import opened, read_archive, read_legacy
from core.models.unwrap import Unwrapped
from core.shards import ENDING, shards

if TYPE_CHECKING:
    from core.models.onnx.graph import Graph


_SOME_LENGTH = 2**32  # bytes: eight that are no length at all are nearly always more
_WEIGHTS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".onnx", ".pt2", ".h5", ".tar", ".zip", ".pb")
_ONNX = b"\x08"  # the tag of ir_version, which every writer puts first


@dataclass(frozen=True)
class Content:
    """What a file holds: its format ("safetensors", "pytorch", "legacy", "export", "onnx" or "shards"), the network's
    tensors, and of ONNX its graph."""

    format: str
    unwrapped: Unwrapped
    graph: Graph | None = None


def open_weights(path: Path) -> Content:
    """The network's tensors in a file, on the CPU, under the names they have there.

    Raises:
        BadInput: see ``core.models.weights.read_weights``.
    """
    size = path.stat().st_size
    if size > refusals.MAX_BYTES:
        raise refusals.too_large(path)
    try:
        with path.open("rb") as file:  # torch goes by the name, given a path that ends in .safetensors
            head = file.read(16)
            file.seek(0)
            if _is_safetensors(head):
                return Content("safetensors", _read_safetensors(path, file))
            if head.startswith(b"PK"):
                return _read_zip(path, size)
            if head[:1] == b"\x80":
                return Content("legacy", read_legacy(path, file, size))
            if head[:1] == _ONNX:
                return _read_onnx(path, file, size)
            if head.lstrip()[:1] == b"{" and path.name.endswith(ENDING):
                return _read_shards(path)
    except BadInput:
        raise
    except WantsCode as error:
        raise refusals.wants_code(path, str(error)) from error
    except OtherPickle as error:
        raise refusals.other_pickle(path) from error
    except OtherProtocol as error:
        raise refusals.other_protocol(path) from error
    except QuantisedValues as error:
        raise refusals.quantised(path, str(error)) from error
    except OddNumpy as error:
        raise refusals.odd_numpy(path, str(error)) from error
    except MemoryError as error:
        raise refusals.too_large(path) from error
    except Exception as error:  # a hostile file can make a reader fail in any way; none of them may end the process
        raise refusals.damaged(path, error) from error
    raise refusals.unknown_format(path, kind_of(path))


def _is_safetensors(head: bytes) -> bool:
    return len(head) >= 9 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] < _SOME_LENGTH


def _read_safetensors(path: Path, file: IO[bytes]) -> Unwrapped:
    from safetensors.torch import load_file

    (length,) = struct.unpack("<Q", file.read(8))
    if length > refusals.LARGEST_HEADER:
        raise Damaged("its list of tensors is too long")
    header = file.read(length)
    if len(header) < length:
        raise Damaged("it ends within its list of tensors")
    if len(json.loads(header)) > refusals.MAX_TENSORS:
        raise Damaged(f"it names more than {refusals.MAX_TENSORS} tensors")
    # the library holds every tensor to the bytes that are there
    return refusals.chosen(path, load_file(path), lambda value: isinstance(value, Tensor))


def _read_shards(path: Path) -> Content:
    """All tensors of the files that an index names, each taken from one of them."""
    files = shards(path)
    missing = next((file.name for file in files if not file.is_file()), "")
    if not files or missing:
        raise refusals.only_an_index(path, missing)
    if sum(file.stat().st_size for file in files) > refusals.MAX_BYTES:
        raise refusals.too_large(path)
    refusals.check_memory(path, sum(file.stat().st_size for file in files))
    tensors: dict[str, Tensor] = {}
    for file in files:
        content = open_weights(file).unwrapped.tensors
        if twice := tensors.keys() & content.keys():
            raise Damaged(f"two of its files hold {min(twice)}")
        tensors |= content
    wanted = json.loads(path.read_bytes())["weight_map"].keys()
    if lost := wanted - tensors.keys():
        raise Damaged(f"none of its files holds {min(lost)}")
    return Content("shards", Unwrapped((), tensors))


def _read_onnx(path: Path, file: IO[bytes], size: int) -> Content:
    from core.models.onnx.graph import read_graph
    from core.models.onnx.wire import MAX_BYTES

    if size > MAX_BYTES:
        raise refusals.too_large(path)
    refusals.check_memory(path, 4 * size)
    graph = read_graph(path, file.read())
    floating = {name: value for name, value in graph.constants.items() if value.is_floating_point()}
    return Content("onnx", Unwrapped((), floating), graph)


def _read_zip(path: Path, size: int) -> Content:
    with opened(path, path, size) as (archive, names):
        if any(member.flag_bits & 1 for member in archive.infolist()):
            raise refusals.encrypted(path)
        root = names[0].split("/")[0] + "/" if "/" in names[0] else ""
        if f"{root}constants.pkl" in names or any(name.startswith(f"{root}code/") for name in names):
            raise refusals.torchscript(path)
        if f"{root}data.pkl" in names:
            return Content("pytorch", read_archive(path, archive, root, size))
        if "serialized_exported_program.json" in names:
            return Content("export", read_old_program(path, archive))
        if any(name.startswith(f"{root}data/weights/") for name in names):
            return Content("export", read_program(path, archive, root))
    raise refusals.unknown_format(path, kind_of_zip(names, _WEIGHTS))
