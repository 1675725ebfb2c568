"""Weights by name: what is said of a file, and that what goes out is as it came in."""

from __future__ import annotations

import json
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import swa_utils

from core.errors import BadInput
from core.models.small import SmallNet
from core.models.weights import Weights, classifier, read_weights, save_weights

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return {name: value.clone() for name, value in SmallNet(3, width=2).state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_what_goes_out_has_names_order_and_types_of_the_file(tmp_path: Path, dtype: torch.dtype) -> None:
    state = SmallNet(3, width=2).state_dict()
    file = {f"module.{name}": value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}
    file = dict(reversed(file.items()))
    torch.save(file, tmp_path / "a")
    weights = read_weights(tmp_path / "a")
    net = SmallNet(3, width=2)
    net.load_state_dict(weights.tensors)
    out = weights.named_as_in_file(net.state_dict())
    assert list(out) == list(file)
    for name, value in file.items():
        assert out[name].dtype == value.dtype
        assert torch.equal(out[name], value)


def test_a_tensor_the_file_lacks_is_not_added_and_one_the_network_lacks_stays() -> None:
    weights = Weights({"a": torch.ones(1), "kept": torch.ones(2)}, "net.")
    out = weights.named_as_in_file({"a": torch.zeros(1), "new": torch.zeros(3)})
    assert {name: value.tolist() for name, value in out.items()} == {"net.a": [0.0], "net.kept": [1.0, 1.0]}


def test_what_was_found_is_said(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    state = {f"module._orig_mod.{name}": value.half() for name, value in tensors.items() if value.is_floating_point()}
    content = {"epoch": 99, "acc": 94.123456789, "state_dict": state, "ema": state, "optimizer": {"lr": 0.1}}
    torch.save(content, tmp_path / "a")
    found = {item.code: item.facts for item in read_weights(tmp_path / "a").found}
    numbers = sum(value.numel() for value in state.values())
    assert found == {
        "file": {"format": "PyTorch", "tensors": len(state), "numbers": numbers},
        "wrapper": {"where": "state_dict"},
        "averaged": {"key": "ema"},
        "beside": {"what": "epoch = 99, acc = 94.1235, optimizer"},
        "prefix": {"prefix": "module._orig_mod."},
        "precision": {"kinds": "float16"},
    }
    messages = [item.message for item in read_weights(tmp_path / "a").found]
    assert all(message[0].isupper() for message in messages)


def test_a_plain_file_has_little_to_say(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    save_weights(tmp_path / "a", tensors)
    assert [item.code for item in read_weights(tmp_path / "a").found] == ["file"]


@pytest.mark.parametrize("dtype", ["F4", "C64"])
def test_types_that_torch_cannot_copy_are_odd(tmp_path: Path, dtype: str) -> None:
    pytest.importorskip("safetensors", minversion="0.8")  # older ones know fewer types
    size = {"F4": 4, "C64": 64}[dtype]
    header = json.dumps({"fc.weight": {"dtype": dtype, "shape": [8], "data_offsets": [0, size]}}).encode()
    (tmp_path / "a").write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    with pytest.raises(BadInput, match=r"fc\.weight") as caught:
        read_weights(tmp_path / "a")
    assert caught.value.code == "weights_odd_tensor"


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "gone.pth", "weights_not_found"), (tmp_path, "folder_without_weights")):
        with pytest.raises(BadInput, match=path.name) as caught:
            read_weights(path)
        assert caught.value.code == code


def test_counters_of_batch_norm_may_be_missing() -> None:
    tensors = {name: value for name, value in SmallNet(3).state_dict().items() if "num_batches" not in name}
    model = classifier(Weights(tensors), "small", 3, MEAN, STD)
    assert all(torch.equal(model.net.state_dict()[name], value) for name, value in tensors.items())


def test_a_prefix_only_some_names_have_is_theirs(tmp_path: Path) -> None:
    mixed = {"module.a": torch.ones(1), "b": torch.ones(1)}
    torch.save(mixed, tmp_path / "a")
    found = read_weights(tmp_path / "a")
    assert same(found.tensors, mixed)
    assert found.prefix == ""


# into a network


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


@pytest.mark.parametrize("parallel", [False, True])
def test_an_averaged_model_keeps_its_count(tmp_path: Path, parallel: bool) -> None:
    """The count that torch's own moving average keeps beside the network is no tensor of the network."""
    net = nn.Sequential(nn.Linear(3, 2))
    averaged = swa_utils.AveragedModel(nn.DataParallel(net) if parallel else net)
    averaged.update_parameters(nn.DataParallel(net) if parallel else net)
    torch.save(averaged.state_dict(), tmp_path / "a.pth")
    weights = read_weights(tmp_path / "a.pth")
    assert list(weights.tensors) == ["0.weight", "0.bias"]
    assert weights.prefix == ("module.module." if parallel else "module.")
    assert [fact.code for fact in weights.found] == ["file", "prefix", "only_averaged"]
    back = weights.named_as_in_file({"0.weight": torch.zeros(2, 3)})
    assert list(back) == list(averaged.state_dict())
    assert back["n_averaged"] == 1
    assert list(weights.as_in_file().tensors) == list(averaged.state_dict())
    averaged.load_state_dict(back, strict=True)


def test_a_tensor_of_that_name_elsewhere_is_the_networks(tmp_path: Path) -> None:
    torch.save({"n_averaged": torch.ones(()), "fc.weight": torch.ones(2, 3)}, tmp_path / "a.pth")
    assert list(read_weights(tmp_path / "a.pth").tensors) == ["n_averaged", "fc.weight"]


@pytest.mark.parametrize("name", ["\x1b[2Jfc.weight", "fc\nAll is well.", "\ud800.weight", "x" * 501])
@pytest.mark.parametrize("inside", [False, True])
def test_names_that_could_steer_a_terminal(tmp_path: Path, name: str, inside: bool) -> None:
    torch.save({name: {"a": torch.ones(2)}} if inside else {name: torch.ones(2)}, tmp_path / "a.pth")
    with pytest.raises(BadInput, match="cannot be printed") as raised:
        read_weights(tmp_path / "a.pth")
    assert raised.value.code == "weights_damaged"
