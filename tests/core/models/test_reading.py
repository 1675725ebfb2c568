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

from core.models.reading import open_weights
from core.models.refusals import MAX_BYTES
from core.models.small import SmallNet
from tests.core.data.listings import hollow
from tests.core.models.weight_files import FORMATS, refused, write


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
        (b"", "file_empty"),
        (b"P", "weights_unknown_format"),
        (b"PK", "weights_damaged"),
        (b"PK\x03\x04", "weights_damaged"),
        (b"\x80", "weights_damaged"),
        (b"\x80\x02", "weights_damaged"),
        (b"\x80\x02.", "weights_damaged"),
        (b"\x80\x02N.", "weights_other_pickle"),
        (b"hello, I am a text file\n" * 9, "weights_unknown_format"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "weights_of_other_kind"),
        (bytes(1000), "weights_unknown_format"),
        (struct.pack("<Q", 2) + b"{}", "weights_none_inside"),
        (struct.pack("<Q", 3) + b"{}", "weights_damaged"),
        (struct.pack("<Q", 30) + b"{}", "weights_damaged"),
        (struct.pack("<Q", 2**60) + b"{}", "weights_unknown_format"),
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


def test_a_file_that_is_too_large_is_not_even_opened(tmp_path: Path) -> None:
    refused(hollow(tmp_path / "a", MAX_BYTES + 1), "weights_too_large")
