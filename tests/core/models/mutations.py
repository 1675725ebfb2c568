"""Files of weights, damaged in a thousand ways; run as a process of its own, since the question is whether it survives.

``python -m tests.core.models.mutations FOLDER COUNT`` prints one JSON line with what became of each file.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickletools
import random
import resource
import struct
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from core.errors import BadInput
from core.models.weights import read_weights

ROOM = 2 * 2**30  # bytes of memory beyond what the process has when it begins


def originals() -> dict[str, bytes]:
    """One tiny file of each format."""
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3)).eval()
    state = net.state_dict()
    checkpoint = {"epoch": 3, "acc": 0.5, "net": state, "optimizer": {"state": {0: torch.ones(3)}, "param_groups": []}}
    files = {"safetensors": save(state)}
    for name, new, protocol in (("zip", True, 2), ("legacy", False, 2), ("newer", True, 4)):
        content = io.BytesIO()
        torch.save(checkpoint, content, pickle_protocol=protocol, _use_new_zipfile_serialization=new)
        files[name] = content.getvalue()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:  # as torch.export.save lays it out
        entries = {}
        for number, (name, value) in enumerate(state.items()):
            meta = {
                "dtype": 7 if value.is_floating_point() else 5, "layout": 7, "storage_offset": {"as_int": 0},
                "sizes": [{"as_int": side} for side in value.shape],
                "strides": [{"as_int": step} for step in value.stride()],
            }  # fmt: skip
            entries[name] = {"path_name": f"weight_{number}", "use_pickle": False, "tensor_meta": meta}
            archive.writestr(f"net/data/weights/weight_{number}", value.numpy().tobytes())
        archive.writestr("net/data/weights/model_weights_config.json", json.dumps({"config": entries}))
        archive.writestr("net/archive_format", "pt2")
        archive.writestr("net/byteorder", "little")
    files["export"] = content.getvalue()
    inner, content = io.BytesIO(), io.BytesIO()
    torch.save(state, inner)
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", inner.getvalue())
    files["old export"] = content.getvalue()
    return files


def flips(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out)


def truncation(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def splice(data: bytes, rng: random.Random) -> bytes:
    a, b, c = sorted(rng.randrange(len(data)) for _ in range(3))
    return rng.choice([data[:a] + data[b:], data[:b] + data[a:], data[:a] + data[b:c] + data[a:b] + data[c:]])


def lengths(data: bytes, rng: random.Random) -> bytes:
    """The first eight bytes, and any other four or eight, become a length that is wrong."""
    out = bytearray(data)
    at = rng.choice([0, rng.randrange(len(out) - 8)])
    value = rng.choice([0, 1, len(out), len(out) + 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1])
    size = rng.choice([4, 8])
    out[at : at + size] = struct.pack("<Q", value)[:size]
    return bytes(out)


def digits(data: bytes, rng: random.Random) -> bytes:
    """Numbers written out in a header or in JSON, for example a shape."""
    out = bytearray(data)
    places = [i for i, byte in enumerate(out) if 48 <= byte <= 57]
    for _ in range(rng.randint(1, 4)):
        at = rng.choice(places)
        if rng.random() < 0.3:
            out[at : at + 1] = b"9" * rng.choice([2, 9, 19])
        else:
            out[at] = rng.randrange(48, 58)
    return bytes(out)


def directory(data: bytes, rng: random.Random) -> bytes:
    """The end of the file, where a zip keeps its directory."""
    out = bytearray(data)
    start = data.rfind(b"PK\x01\x02") if rng.random() < 0.5 else data.find(b"PK\x01\x02")
    start = max(0, start if start >= 0 else len(out) - 60)
    for _ in range(rng.randint(1, 6)):
        out[rng.randrange(start, len(out))] = rng.choice([0, 1, 255, rng.randrange(256)])
    return bytes(out)


def edited_pickle(pickle: bytes, rng: random.Random, canary: Path) -> bytes:
    """One opcode exchanged, repeated, dropped or given another argument; or a call of a program put in."""
    opcodes: list[int] = []
    with contextlib.suppress(Exception):
        opcodes.extend(position for _, _, position in pickletools.genops(pickle))
    if not opcodes:
        return flips(pickle, rng)
    at = rng.choice(opcodes)
    end = next((position for position in opcodes if position > at), len(pickle))
    kind = rng.randrange(6)
    if kind == 0:
        return pickle[:at] + bytes([rng.choice(range(40, 154))]) + pickle[at + 1 :]
    if kind == 1:
        return pickle[:end] + pickle[at:end] * rng.randint(1, 3) + pickle[end:]
    if kind == 2:
        return pickle[:at] + pickle[end:]
    if kind == 3:
        number = struct.pack("<i", rng.choice([-1, 0, 2**31 - 1, 2**20, 7]))
        return pickle[:at] + b"J" + number + pickle[end:]
    if kind == 4:
        number = rng.choice([2**33, 2**47, 2**62, -(2**40)]).to_bytes(8, "little", signed=True)
        return pickle[:at] + b"\x8a\x08" + number + pickle[end:]
    module = rng.choice([b"os\nsystem\n", b"posix\nsystem\n", b"subprocess\ncall\n", b"builtins\nexec\n"])
    command = f"touch '{canary}'".encode()
    if b"exec" in module:
        command = f"open({str(canary)!r}, 'w')".encode()
    call = b"c" + module + b"(X" + struct.pack("<I", len(command)) + command + b"tR"
    return pickle[:at] + call + rng.choice([b"", b"0"]) + pickle[at:]


def opcodes_in_zip(data: bytes, rng: random.Random, canary: Path) -> bytes:
    """The archive written anew, so that its checksums hold, with one pickle or JSON in it edited."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        names = [name for name in old.namelist() if name.endswith((".pkl", ".json", ".pt"))]
        chosen = rng.choice(names)
        for name in old.namelist():
            content = old.read(name)
            if name == chosen:
                if name.endswith(".json"):
                    content = digits(content, rng) if b"1" in content else content
                elif content.startswith(b"PK"):
                    content = opcodes_in_zip(content, rng, canary)
                else:
                    content = edited_pickle(content, rng, canary)
            compression = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
            new.writestr(name, content, compression)
    return out.getvalue()


def opcodes_in_legacy(data: bytes, rng: random.Random, canary: Path) -> bytes:
    stream = io.BytesIO(data)
    ends = [0]
    for _ in range(5):
        for _ in pickletools.genops(stream):
            pass
        ends.append(stream.tell())
    which = rng.choice([0, 2, 3, 3, 3, 4])
    start, end = ends[which], ends[which + 1]
    return data[:start] + edited_pickle(data[start:end], rng, canary) + data[end:]


def mutated(kind: str, data: bytes, rng: random.Random, canary: Path) -> bytes:
    general: list[Callable[[bytes, random.Random], bytes]] = [flips, truncation, splice, lengths, digits]
    if kind == "safetensors":
        return rng.choice([*general, digits, lengths])(data, rng)
    if kind == "legacy":
        return opcodes_in_legacy(data, rng, canary) if rng.random() < 0.5 else rng.choice(general)(data, rng)
    if rng.random() < 0.5:
        return opcodes_in_zip(data, rng, canary)
    return rng.choice([*general, directory, directory])(data, rng)


def main(folder: Path, count: int) -> None:
    canary = folder / "executed"
    torch.manual_seed(0)
    files = originals()
    kinds = sorted(files)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    fates: Counter[str] = Counter()
    wrong = []
    for number in range(count):
        rng = random.Random(number)
        kind = kinds[number % len(kinds)]
        path = folder / "weights.bin"
        path.write_bytes(mutated(kind, files[kind], rng, canary))
        print(number, kind, file=sys.stderr, flush=True)  # the last line names the file of a crash
        try:
            weights = read_weights(path)
            sound = all(torch.isfinite(value.float()).all() for value in weights.tensors.values())
            fates["read" if weights.tensors and sound else "unsound"] += 1
        except BadInput as error:
            fates[error.code] += 1
            if "\n" in error.message or not error.message.endswith("."):
                wrong.append([number, error.message])
        except BaseException as error:
            wrong.append([number, f"{type(error).__name__}: {error}"])
    print(json.dumps({"fates": fates, "wrong": wrong, "executed": canary.exists()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
