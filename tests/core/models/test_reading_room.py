"""Files that would take far more room than they have bytes are refused before they do."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core.models.refusals import LARGEST_HEADER, MAX_TENSORS
from core.models.small import SmallNet
from core.models.weights import read_weights
from tests.core.data.listings import hollow, listing
from tests.core.models.weight_files import FORMATS, refused, write


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
def test_a_directory_that_is_too_long_is_never_made_into_objects(tmp_path: Path, inner: bool) -> None:
    (tmp_path / "a.pt").write_bytes(listing(2 * MAX_TENSORS + 1, b"archive/data/0"))
    if inner:
        with zipfile.ZipFile(tmp_path / "b.pt", "w") as archive:
            archive.writestr("serialized_exported_program.json", "{}")
            archive.write(tmp_path / "a.pt", "serialized_state_dict.pt")
        (tmp_path / "b.pt").replace(tmp_path / "a.pt")
    tracemalloc.start()
    try:
        assert "too many" in refused(tmp_path / "a.pt", "weights_damaged")
        assert tracemalloc.get_traced_memory()[1] < 40e6  # the list has 6 MB; as objects it takes ten times as much
    finally:
        tracemalloc.stop()


def test_two_records_of_one_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}, 2))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("archive/data.pkl", pickle.dumps({"b": 1}, 2))
    assert "same name" in refused(tmp_path / "a.pth", "weights_damaged")


def test_a_header_of_safetensors_that_is_too_long(tmp_path: Path) -> None:
    start = struct.pack("<Q", LARGEST_HEADER + 1) + b"{"
    path = hollow(tmp_path / "a", LARGEST_HEADER + 100, start=start)
    assert "too long" in refused(path, "weights_damaged")


def with_tensors(path: Path, net: SmallNet, kind: str, count: int) -> None:
    """A file that names so many tensors, all of them one, or none."""
    if kind == "safetensors":
        header = json.dumps({str(k): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for k in range(count)})
        path.write_bytes(struct.pack("<Q", len(header)) + header.encode())
    elif kind == "export":
        write(path.with_name("whole"), net, kind)
        with zipfile.ZipFile(path.with_name("whole")) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                if name.endswith("_weights_config.json"):
                    (entry,) = [e for n, e in json.loads(content)["config"].items() if n == "fc.bias"]
                    content = json.dumps({"config": dict.fromkeys(map(str, range(count)), entry)}).encode()
                new.writestr(name, content)
    else:
        one = torch.ones(1)
        tensors = {str(k): one for k in range(count)}
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "pytorch")


@pytest.mark.parametrize("kind", FORMATS)
def test_too_many_tensors(tmp_path: Path, net: SmallNet, kind: str) -> None:
    with_tensors(tmp_path / "a.pt2", net, kind, MAX_TENSORS + 1)
    assert f"more than {MAX_TENSORS} tensors" in refused(tmp_path / "a.pt2", "weights_damaged")


def test_more_than_memory_holds(tmp_path: Path, net: SmallNet, free_memory: Callable[[float], None]) -> None:
    write(tmp_path / "a", net, "pytorch")
    free_memory(1000)
    refused(tmp_path / "a", "weights_too_large")


def test_what_stands_beside_the_weights_must_fit_into_memory_too(
    tmp_path: Path, free_memory: Callable[[float], None]
) -> None:
    free_memory(30_000)
    for count, fits in ((1000, True), (4000, False)):
        torch.save({"net": {"a": torch.ones(2)}, "optimizer": {"state": {0: torch.ones(count)}}}, tmp_path / "a.pth")
        if fits:
            assert list(read_weights(tmp_path / "a.pth").tensors) == ["a"]
        else:
            refused(tmp_path / "a.pth", "weights_too_large")
