"""Reading files one does not trust."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import Tensor, nn

from core.errors import BadInput
from core.models import build
from core.models.small import SmallNet
from core.models.weights import Weights, classifier, fitting_architecture, read_weights, save_weights

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return {name: value.clone() for name, value in SmallNet(3, width=2).state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


def refused(path: Path, code: str = "weights_unreadable") -> str:
    with pytest.raises(BadInput) as caught:
        read_weights(path)
    assert caught.value.code == code
    assert path.name in caught.value.message
    assert "\n" not in caught.value.message
    return caught.value.message


# round trips


def test_what_is_saved_is_read_again(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    save_weights(tmp_path / "a.safetensors", tensors)
    found = read_weights(tmp_path / "a.safetensors")
    assert same(found.tensors, tensors)
    assert found.prefix == ""
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_saving_takes_tensors_in_any_layout(tmp_path: Path) -> None:
    odd = {
        "turned": torch.arange(6.0).view(2, 3).T,
        "channels_last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "learned": nn.Parameter(torch.ones(2)),
    }
    save_weights(tmp_path / "a", odd)
    assert same(read_weights(tmp_path / "a").tensors, odd)


def test_saving_replaces_a_file_in_one_move(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")
    save_weights(path, tensors)
    assert same(read_weights(path).tensors, tensors)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors", "a.txt", "a"])
@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_a_file_is_told_by_its_bytes_and_not_by_its_name(
    tmp_path: Path, tensors: dict[str, Tensor], name: str, kind: str
) -> None:
    path = tmp_path / name
    if kind == "safetensors":
        path.write_bytes(save(tensors))
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip")
    assert same(read_weights(path).tensors, tensors)
    assert same(read_weights(str(path)).tensors, tensors)


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "net", "model", "weights"])
@pytest.mark.parametrize("legacy", [False, True])
def test_weights_inside_a_checkpoint(tmp_path: Path, tensors: dict[str, Tensor], wrapper: str, legacy: bool) -> None:
    path = tmp_path / "a.pth.tar"
    checkpoint = {"epoch": 3, "acc": 0.9, "optimizer": {"lr": [0.1]}, wrapper: OrderedDict(tensors)}
    torch.save(checkpoint, path, _use_new_zipfile_serialization=not legacy)
    assert same(read_weights(path).tensors, tensors)


def test_wrappers_in_wrappers(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    for beside in ({}, {"ema": torch.ones(1)}):
        torch.save({"model": {"state_dict": tensors, **beside}}, tmp_path / "a")
        assert same(read_weights(tmp_path / "a").tensors, tensors)


def test_names_from_data_parallel_come_back_as_they_were(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save({"net": {f"module.{name}": value for name, value in tensors.items()}}, tmp_path / "a")
    found = read_weights(tmp_path / "a")
    assert same(found.tensors, tensors)
    assert found.prefix == "module."
    assert list(found.named_as_in_file(tensors)) == [f"module.{name}" for name in tensors]


def test_a_prefix_only_some_names_have_is_theirs(tmp_path: Path) -> None:
    mixed = {"module.a": torch.ones(1), "b": torch.ones(1)}
    torch.save(mixed, tmp_path / "a")
    found = read_weights(tmp_path / "a")
    assert same(found.tensors, mixed)
    assert found.prefix == ""


# files that are refused


class Hostile:
    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.sentinel}'",)


@pytest.mark.parametrize("kind", ["zip", "legacy", "plain pickle", "plain pickle, named safetensors"])
@pytest.mark.parametrize("inside", [False, True])
def test_code_is_refused_and_never_run(tmp_path: Path, kind: str, inside: bool) -> None:
    sentinel = tmp_path / "was-executed"
    content = {"state_dict": {"a": torch.ones(2), "b": Hostile(sentinel)}} if inside else Hostile(sentinel)
    path = tmp_path / ("a.safetensors" if "named" in kind else "a.pth")
    if kind.startswith("plain"):
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    message = refused(path)
    assert "code" in message
    assert "refused" in message
    assert inside or "system" in message
    assert not sentinel.exists()
    if kind == "zip":
        # the counter-proof: read without care, this test's own harmless file does run its code
        torch.load(path, weights_only=False)
        assert sentinel.exists(), "the file was no danger to begin with"


def test_a_whole_network_is_refused_with_a_hint_at_the_state_dict(tmp_path: Path) -> None:
    torch.save(SmallNet(3, width=2), tmp_path / "a.pth")
    assert "state_dict" in refused(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"P",
        b"PK",
        b"PK\x03\x04",
        b"\x80",
        b"\x80\x02",
        b"\x80\x02.",
        b"hello, I am a text file\n" * 9,
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        bytes(1000),
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 3) + b"{}",
        struct.pack("<Q", 1) + b"{",
        struct.pack("<Q", 4) + b'{"a"',
        struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[9999999],"data_offsets":[0,4]}}',
        struct.pack("<Q", 46) + b'{"a":{"dtype":"F4","shape":[],"data_offsets":' + b"[0,0]}}",
        random.Random(0).randbytes(4000),
    ],
    ids=range(17),
)
def test_a_file_that_is_none_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize(
    "content",
    [torch.ones(3), [torch.ones(3)], {}, {"a": 1}, {"state_dict": {}}, {"state_dict": 3}, "words", None, {"net": [1]}],
)
def test_a_pytorch_file_without_named_tensors_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "a.pth")
    assert "named tensors" in refused(tmp_path / "a.pth")


def test_a_dictionary_that_holds_itself_is_no_trap(tmp_path: Path) -> None:
    endless: dict[str, Any] = {"a": torch.ones(1)}
    endless["state_dict"] = endless
    torch.save(endless, tmp_path / "a.pth")
    assert list(read_weights(tmp_path / "a.pth").tensors) == ["a"]


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    refused(tmp_path / "gone.pth", "weights_not_found")
    refused(tmp_path, "weights_not_found")


def test_a_file_that_is_too_large_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.models.weights.LARGEST", 10)
    (tmp_path / "a").write_bytes(bytes(11))
    refused(tmp_path / "a")


def serialised(kind: str) -> bytes:
    tensors = {f"layer{i}.weight": torch.arange(4.0) + i for i in range(3)}
    if kind == "safetensors":
        return save(tensors)
    content = io.BytesIO()
    torch.save({"state_dict": tensors}, content, _use_new_zipfile_serialization=kind == "zip")
    return content.getvalue()


def read_or_refused(path: Path) -> Weights | None:
    """Any other error than ``weights_unreadable`` gets through."""
    try:
        return read_weights(path)
    except BadInput as error:
        if error.code != "weights_unreadable":
            raise
        return None


FILES = {kind: serialised(kind) for kind in ("safetensors", "zip", "legacy")}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    content = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path / "a.pth"
    path.write_bytes(bytes(content))
    found = read_or_refused(path)
    assert found is None or all(isinstance(value, Tensor) for value in found.tensors.values())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", struct.pack("<Q", 20) + b"{"]), st.binary(max_size=300))
def test_random_bytes_are_refused(tmp_path: Path, start: bytes, rest: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(start + rest)
    read_or_refused(path)


# which network


@pytest.mark.parametrize(("arch", "classes"), [("small", 7), ("wrn16-1", 10), ("preact-resnet18", 43)])
def test_the_fitting_network_is_found(arch: str, classes: int) -> None:
    with torch.device("meta"):
        tensors = build(arch, classes).state_dict()
    assert fitting_architecture(Weights(tensors)) == (arch, classes)
    shuffled = dict(reversed(tensors.items()))  # files keep any order
    assert fitting_architecture(Weights(shuffled))[0] == arch


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("fc.bias"),
        lambda tensors: tensors.update({"more": torch.ones(1)}),
        lambda tensors: tensors.update({"fc.bias": torch.ones(9)}),
        lambda tensors: tensors.clear(),
        lambda tensors: tensors.update({"fc.weight": torch.ones(1, 64)}),
    ],
)
def test_weights_that_fit_nothing_ask_for_a_name(change: Any) -> None:
    tensors = dict(SmallNet(3).state_dict())
    change(tensors)
    with pytest.raises(BadInput, match="--arch") as caught:
        fitting_architecture(Weights(tensors))
    assert caught.value.code == "no_architecture_fits"


def test_the_classifier_has_the_weights(tensors: dict[str, Tensor]) -> None:
    given_tensors = {name: value.clone() for name, value in SmallNet(4).state_dict().items()}
    model = classifier(Weights(given_tensors), "small", 4, MEAN, STD)
    assert same(dict(model.net.state_dict()), given_tensors)
    assert not model.training
    assert model.num_classes == 4
    assert model.mean.flatten().tolist() == list(MEAN)
    assert model.std.flatten().tolist() == list(STD)


@pytest.mark.parametrize(
    ("change", "code", "name"),
    [
        (lambda tensors: tensors.pop("fc.bias"), "weights_do_not_fit", "fc.bias"),
        (lambda tensors: tensors.update({"fc.bias": torch.ones(9)}), "weights_do_not_fit", "fc.bias"),
        (lambda tensors: tensors.update({"more.weight": torch.ones(1)}), "weights_left_over", "more.weight"),
    ],
)
def test_weights_that_do_not_fit_name_the_first_tensor(change: Any, code: str, name: str) -> None:
    tensors = dict(SmallNet(3).state_dict())
    change(tensors)
    with pytest.raises(BadInput) as caught:
        classifier(Weights(tensors), "small", 3, MEAN, STD)
    assert caught.value.code == code
    assert caught.value.facts["name"] == name
    assert name in caught.value.message


def test_another_number_of_classes_does_not_fit() -> None:
    with pytest.raises(BadInput, match="with 5 classes") as caught:
        classifier(Weights(dict(SmallNet(3).state_dict())), "small", 5, MEAN, STD)
    assert caught.value.code == "weights_do_not_fit"


@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
@pytest.mark.parametrize("kind", ["meta", "sparse"])
def test_tensors_without_plain_numbers_are_refused(tmp_path: Path, kind: str) -> None:
    """Such tensors have names and shapes that fit, and fail only when they are used."""
    tensors = dict(SmallNet(3).state_dict())
    bias = tensors["fc.bias"]
    tensors["fc.bias"] = bias.to("meta") if kind == "meta" else bias.to_sparse()
    torch.save(tensors, tmp_path / "a.pth")
    assert "fc.bias" in refused(tmp_path / "a.pth")
