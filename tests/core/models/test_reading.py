"""Which files are refused, with which sentence; that those of every format are read; and that no code runs."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from core.errors import BadInput
from core.models.reading import open_weights
from core.models.small import SmallNet
from core.models.weights import read_weights

FORMATS = ("safetensors", "pytorch", "legacy", "export")


@pytest.fixture(scope="module")
def net() -> SmallNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SmallNet(3, width=2).eval()


def write(path: Path, net: SmallNet, kind: str) -> None:
    if kind == "safetensors":
        path.write_bytes(save(net.state_dict()))
    elif kind == "export":
        torch.export.save(torch.export.export(net, (torch.rand(2, 3, 16, 16),)), path)
    else:
        torch.save(net.state_dict(), path, _use_new_zipfile_serialization=kind == "pytorch")


def refused(path: Path, code: str) -> str:
    with pytest.raises(BadInput) as caught:
        read_weights(path)
    assert caught.value.code == code, caught.value.message
    assert path.name in caught.value.message
    assert caught.value.facts["file"] == path.name
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_told_by_its_bytes(tmp_path: Path, net: SmallNet, kind: str) -> None:
    write(tmp_path / "a.pt2", net, kind)
    path = (tmp_path / "a.pt2").rename(tmp_path / ("a.safetensors" if kind != "safetensors" else "a.pth"))
    content = open_weights(path)
    assert content.format == kind
    assert {name: value.shape for name, value in content.unwrapped.tensors.items()} == {
        name: value.shape for name, value in net.state_dict().items()
    }
    for name, value in net.state_dict().items():
        assert torch.equal(content.unwrapped.tensors[name], value)


class Hostile:
    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.sentinel}'",)


@pytest.mark.parametrize("kind", ["zip", "legacy", "plain pickle", "plain pickle, newest protocol"])
@pytest.mark.parametrize("inside", [False, True])
def test_code_is_refused_by_its_name_and_never_run(tmp_path: Path, kind: str, inside: bool) -> None:
    sentinel = tmp_path / "was-executed"
    content: Any = {"state_dict": {"a": torch.ones(2), "b": Hostile(sentinel)}} if inside else Hostile(sentinel)
    path = tmp_path / "a.safetensors"
    if kind.startswith("plain"):
        content = {"a": 1, "b": Hostile(sentinel)} if inside else content
        path.write_bytes(pickle.dumps(content, protocol=5 if "newest" in kind else 2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    assert f"asks for {os.system.__module__}.system to be executed" in refused(path, "weights_want_code")
    assert not sentinel.exists()
    if kind == "zip":
        # the counter-proof: read without care, this test's own harmless file does run its code
        with path.open("rb") as file:
            torch.load(file, weights_only=False)
        assert sentinel.exists(), "the file was no danger to begin with"


def test_code_within_an_exported_program_is_refused(tmp_path: Path) -> None:
    inner = io.BytesIO()
    torch.save({"a": torch.ones(2), "b": Hostile(tmp_path / "was-executed")}, inner)
    with zipfile.ZipFile(tmp_path / "a.pt2", "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", inner.getvalue())
    assert "system" in refused(tmp_path / "a.pt2", "weights_want_code")
    assert not (tmp_path / "was-executed").exists()


def test_a_whole_network_is_refused_by_its_class_with_a_hint_at_the_state_dict(tmp_path: Path, net: SmallNet) -> None:
    torch.save(net, tmp_path / "a.pth")
    message = refused(tmp_path / "a.pth", "weights_want_code")
    assert "core.models.small.SmallNet" in message
    assert "state_dict" in message


def test_torchscript_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        for name in ("a/data.pkl", "a/code/__torch__/net.py", "a/constants.pkl"):
            archive.writestr(name, "")
    assert "TorchScript" in refused(tmp_path / "a.pt", "weights_torchscript")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "weights_unknown_format"),
        (b"P", "weights_unknown_format"),
        (b"PK", "weights_damaged"),
        (b"PK\x03\x04", "weights_damaged"),
        (b"\x80", "weights_damaged"),
        (b"\x80\x02", "weights_damaged"),
        (b"\x80\x02.", "weights_damaged"),
        (b"\x80\x02N.", "weights_damaged"),
        (b"hello, I am a text file\n" * 9, "weights_unknown_format"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "weights_unknown_format"),
        (bytes(1000), "weights_unknown_format"),
        (struct.pack("<Q", 2) + b"{}", "weights_none_inside"),
        (struct.pack("<Q", 3) + b"{}", "weights_damaged"),
        (struct.pack("<Q", 30) + b"{}", "weights_unknown_format"),
        (struct.pack("<Q", 1) + b"{", "weights_damaged"),
        (struct.pack("<Q", 4) + b'{"a"', "weights_damaged"),
        (
            struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[9999999],"data_offsets":[0,4]}}',
            "weights_damaged",
        ),
        (random.Random(0).randbytes(4000), "weights_unknown_format"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(content)
    refused(path, code)


@pytest.mark.parametrize(
    "content",
    [torch.ones(3), [torch.ones(3)], {}, {"a": 1}, {"state_dict": {}}, {"state_dict": 3}, "words", None, {"net": [1]}],
)
def test_a_pytorch_file_without_named_tensors_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "a.pth")
    assert "named tensors" in refused(tmp_path / "a.pth", "weights_none_inside")


@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
@pytest.mark.parametrize("kind", ["meta", "sparse", "complex"])
@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_without_plain_numbers_are_refused(tmp_path: Path, net: SmallNet, kind: str, legacy: bool) -> None:
    """Such tensors have names and shapes that fit, and fail only when they are used."""
    tensors = dict(net.state_dict())
    bias = tensors["fc.bias"]
    tensors["fc.bias"] = {"meta": bias.to("meta"), "sparse": bias.to_sparse(), "complex": bias + 0j}[kind]
    torch.save(tensors, tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
    assert "fc.bias" in refused(tmp_path / "a.pth", "weights_odd_tensor")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path: Path, value: float, dtype: torch.dtype) -> None:
    torch.save({"a": torch.ones(2, dtype=dtype), "b.weight": torch.tensor([1.0, value], dtype=dtype)}, tmp_path / "a")
    assert "b.weight" in refused(tmp_path / "a", "weights_not_finite")


def test_a_file_that_is_too_large_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.models.refusals.LARGEST", 10)
    (tmp_path / "a").write_bytes(bytes(11))
    refused(tmp_path / "a", "weights_too_large")


# files that would take far more room than they have bytes


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("shape", [(2**20, 2**15), (2**40,)])
def test_a_tensor_that_repeats_one_number_for_ever(tmp_path: Path, shape: tuple[int, ...], legacy: bool) -> None:
    path = tmp_path / "a.pth"
    torch.save({"a": torch.ones(1).expand(shape)}, path, _use_new_zipfile_serialization=not legacy)
    assert path.stat().st_size < 2000
    refused(path, "weights_too_large")


def test_many_tensors_over_one_storage(tmp_path: Path) -> None:
    numbers = torch.ones(2**20)
    torch.save({str(i): numbers for i in range(100)}, tmp_path / "a.pth")
    refused(tmp_path / "a.pth", "weights_too_large")
    torch.save({str(i): numbers for i in range(2)}, tmp_path / "b.pth")
    assert len(read_weights(tmp_path / "b.pth").tensors) == 2, "shared weights are stored once, and are no attack"


def test_a_zip_that_unpacks_to_far_more_than_it_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}, 2))
        archive.writestr("archive/data/0", bytes(50 * 2**20))
    assert (tmp_path / "a.pth").stat().st_size < 2**17
    refused(tmp_path / "a.pth", "weights_too_large")


def test_torch_reads_the_records_that_were_judged_and_no_others(tmp_path: Path) -> None:
    """One file, two directories: ``zipfile`` goes by where the last one lies, torch by where it is said to lie."""
    path = tmp_path / "a.pth"
    parts = []
    for value in (7.0, 1.0):  # hidden, and shown
        torch.save({"a": torch.full((3,), value)}, path)
        plain = io.BytesIO()
        with zipfile.ZipFile(path) as saved, zipfile.ZipFile(plain, "w") as again:
            for name in saved.namelist():
                again.writestr(f"archive/{name.partition('/')[2]}", saved.read(name))
        content = plain.getvalue()
        end = content.rfind(b"PK\x05\x06")
        count, _, size, start = struct.unpack("<HHLL", content[end + 8 : end + 20])
        parts.append((content[:start], bytearray(content[start:end])))
    (hidden, hidden_list), (shown, shown_list) = parts
    assert len(hidden_list) == len(shown_list) == size
    at = 0
    while at < size:  # zipfile adds the length of the list in between to every offset
        offset = struct.unpack("<L", shown_list[at + 42 : at + 46])[0] + len(hidden) - size
        shown_list[at + 42 : at + 46] = struct.pack("<L", offset)
        at += 46 + sum(struct.unpack("<3H", shown_list[at + 28 : at + 34]))
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, len(hidden) + len(shown), 0)
    path.write_bytes(hidden + shown + hidden_list + shown_list + last)
    assert torch.load(path, weights_only=True)["a"].tolist() == [7.0] * 3, "the two directories are read alike"
    assert read_weights(path).tensors["a"].tolist() == [1.0] * 3


@pytest.mark.parametrize("key", ["A", "1a", "", "\u0661"])
def test_a_record_whose_name_is_no_number(tmp_path: Path, key: str) -> None:
    """Torch's reader of zips takes "A" for "a", which may be of another length."""
    torch.save({"a": torch.ones(3)}, tmp_path / "b.pth")
    with zipfile.ZipFile(tmp_path / "b.pth") as saved, zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        name = struct.pack("<cL", b"X", len(key.encode())) + key.encode()
        named = saved.read("b/data.pkl").replace(b"X\x01\x00\x00\x000", name)
        archive.writestr("a/data.pkl", named)
        archive.writestr(f"a/data/{key}", saved.read("b/data/0"))
        archive.writestr("a/version", "3")
    assert "no number" in refused(tmp_path / "a.pth", "weights_damaged")


def test_a_zip_whose_records_overlap(tmp_path: Path) -> None:
    """The directory names the same megabyte thirty times."""
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}, 2))
        archive.writestr("archive/data/00", bytes(2**20))
        entry = archive.infolist()[1]
        for i in range(30):
            copy = zipfile.ZipInfo(f"archive/data/{i + 1:02}")
            for key in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(copy, key, getattr(entry, key))
            archive.filelist.append(copy)
    refused(path, "weights_too_large")


@pytest.mark.parametrize("inner", [False, True])
def test_a_directory_that_is_too_long_is_never_made_into_objects(
    tmp_path: Path, inner: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(60):
            archive.writestr(f"archive/data/{number}", b"")
    if inner:
        outer = io.BytesIO()
        with zipfile.ZipFile(outer, "w") as archive:
            archive.writestr("serialized_exported_program.json", "{}")
            archive.writestr("serialized_state_dict.pt", content.getvalue())
        content = outer
    (tmp_path / "a.pt").write_bytes(content.getvalue())
    monkeypatch.setattr("core.models.torch_files.MAX_TENSORS", 29)
    made: list[str] = []
    init = zipfile.ZipInfo.__init__
    monkeypatch.setattr(
        zipfile.ZipInfo, "__init__", lambda info, name, *rest: made.append(name) or init(info, name, *rest)
    )
    assert "too many" in refused(tmp_path / "a.pt", "weights_damaged")
    assert made == (["serialized_exported_program.json", "serialized_state_dict.pt"] if inner else [])


def test_two_records_of_one_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}, 2))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("archive/data.pkl", pickle.dumps({"b": 1}, 2))
    assert "same name" in refused(tmp_path / "a.pth", "weights_damaged")


def test_a_header_of_safetensors_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.models.refusals.LARGEST_HEADER", 10)
    (tmp_path / "a").write_bytes(save({"a": torch.ones(1)}))
    assert "too long" in refused(tmp_path / "a", "weights_damaged")


@pytest.mark.parametrize("kind", FORMATS)
def test_too_many_tensors(tmp_path: Path, net: SmallNet, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.pt2", net, kind)
    for module in ("refusals", "exported"):
        monkeypatch.setattr(f"core.models.{module}.MAX_TENSORS", 25)
    refused(tmp_path / "a.pt2", "weights_damaged")


def test_more_than_memory_holds(tmp_path: Path, net: SmallNet, monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        available = 1000

    write(tmp_path / "a", net, "pytorch")
    monkeypatch.setattr("psutil.virtual_memory", Memory)
    refused(tmp_path / "a", "weights_too_large")


def test_what_stands_beside_the_weights_must_fit_into_memory_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Memory:
        available = 30_000

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    for count, fits in ((1000, True), (4000, False)):
        torch.save({"net": {"a": torch.ones(2)}, "optimizer": {"state": {0: torch.ones(count)}}}, tmp_path / "a.pth")
        if fits:
            assert list(read_weights(tmp_path / "a.pth").tensors) == ["a"]
        else:
            refused(tmp_path / "a.pth", "weights_too_large")


# values that stand beside real weights and want no code


def test_numbers_of_numpy_and_parsed_arguments_are_no_code(tmp_path: Path) -> None:
    import argparse

    import numpy as np

    beside = {
        "acc": np.float64(94.25),
        "epoch": np.int32(-7),
        "args": argparse.Namespace(lr=0.1),
        "size": torch.Size([3]),
    }
    for new in (True, False):
        torch.save({"net": {"a": torch.ones(2)}, **beside}, tmp_path / "a.pth", _use_new_zipfile_serialization=new)
        found = open_weights(tmp_path / "a.pth").unwrapped
        assert torch.equal(found.tensors["a"], torch.ones(2))
        assert found.beside == {"acc": 94.25, "epoch": -7, "args": None, "size": None}


def test_arrays_of_numbers_are_no_code(tmp_path: Path) -> None:
    """As checkpoints keep the state of random numbers, and backdoor benchmarks the indices of poisoned images."""
    import numpy as np

    arrays = [
        np.arange(6).reshape(2, 3), np.ones((2, 3), "f4").T, np.array(3.5), np.array([True]),
        np.arange(200, dtype="u1"),
    ]  # fmt: skip
    beside = {"rng": np.random.RandomState(0).get_state(), "bd_train": {"arrays": arrays, "poisoned": arrays[0]}}
    for new in (True, False):
        torch.save({"model": {"a": torch.ones(2)}, **beside}, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
        found = open_weights(tmp_path / "a.pt").unwrapped
        assert list(found.tensors) == ["a"]
        assert found.beside == {"rng": None, "bd_train": None}


def test_arrays_instead_of_tensors_are_no_network(tmp_path: Path) -> None:
    import numpy as np

    torch.save({"fc.weight": np.ones((3, 2))}, tmp_path / "a.pth")
    assert "named tensors" in refused(tmp_path / "a.pth", "weights_none_inside")


def test_text_of_numpy_is_no_code(tmp_path: Path) -> None:
    """As checkpoints keep the names of their classes."""
    import numpy as np

    beside = {"classes": np.array(["cat", "犬"]), "bytes": np.array([b"ab", b"c"]), "name": np.str_("é")}
    for new in (True, False):
        torch.save({"model": {"a": torch.ones(2)}, **beside}, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
        found = open_weights(tmp_path / "a.pt").unwrapped
        assert list(found.tensors) == ["a"]
        assert found.beside == {"classes": None, "bytes": None, "name": "é"}


def test_other_values_of_numpy_are_refused_by_their_type(tmp_path: Path) -> None:
    import numpy as np

    values = {
        "object": np.array([{}], dtype=object), "M8": np.datetime64("2026-01-01"), "c16": np.array([1j]),
        ">f4": np.ones(2, ">f4"), "V4": np.zeros(2, [("a", "<i4")]),
    }  # fmt: skip
    for kind, value in values.items():
        torch.save({"a": torch.ones(2), "b": value}, tmp_path / "a.pth")
        assert f"type {kind} " in refused(tmp_path / "a.pth", "weights_odd_numpy")


def test_tensors_of_the_optimiser_may_be_anything(tmp_path: Path) -> None:
    state: dict[str, Tensor] = {"a": torch.ones(2)}
    torch.save({"state_dict": state, "optimizer": {"state": {0: torch.tensor(float("nan"))}}}, tmp_path / "a.pth")
    assert list(read_weights(tmp_path / "a.pth").tensors) == ["a"]


def test_the_name_of_code_is_told_in_escapes_and_not_at_length(tmp_path: Path) -> None:
    for name in ("\x1b[2Jsystem\nAll is well.", "x" * 10_000, "\ud800"):
        module, name = (part.encode("utf-8", "surrogatepass") for part in ("os", name))
        named = b"".join(struct.pack("<cL", b"X", len(part)) + part for part in (module, name))
        (tmp_path / "a.pth").write_bytes(b"\x80\x02" + named + b"\x93.")
        message = refused(tmp_path / "a.pth", "weights_want_code")
        assert message.isprintable()
        assert len(message) < 500
        assert "asks for os." in message
