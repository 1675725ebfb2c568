"""The kinds of checkpoint that strangers bring (the table in core/models/NOTES.md): each is read, or refused with its
true cause. Those with marks on their names stand in test_rewrites.py, networks under other names in test_look_alike.py.
"""

from __future__ import annotations

import argparse
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file
from torch import Tensor, nn

from core.errors import BadInput
from core.models.export import write_model
from core.models.identify import Candidate, candidates
from core.models.small import SmallNet
from core.models.weights import read_weights
from tests.core.models.weight_files import refused
from tests.core.test_file_kinds import POINTER

State = dict[str, Tensor]


def state(change: float = 0.0) -> State:
    torch.manual_seed(0)
    net = SmallNet(4)
    return {name: value + change if value.is_floating_point() else value for name, value in net.state_dict().items()}


def under(prefix: str, change: float = 0.0) -> State:
    return {prefix + name: value for name, value in state(change).items()}


def optimiser() -> dict[str, Any]:
    moments = {"step": torch.tensor(3.0), "exp_avg": torch.ones(2, 2), "exp_avg_sq": torch.ones(2, 2)}
    return {"state": {0: moments}, "param_groups": [{"lr": 0.1, "params": [0]}]}


READ: dict[str, Callable[[], Any]] = {
    "PyTorch Lightning": lambda: {
        "epoch": 3, "global_step": 42, "pytorch-lightning_version": "2.4.0", "state_dict": under("model."),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 4}}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'acc'}": {"best_model_score": torch.tensor(0.9), "monitor": "acc"}},
        "optimizer_states": [optimiser()], "lr_schedulers": [{"last_epoch": 3}], "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.1, "classes": ["a", "b"]},
    },
    "timm's trainer": lambda: {
        "epoch": 3, "arch": "small", "state_dict": state(), "optimizer": optimiser(), "version": 2,
        "args": argparse.Namespace(lr=0.1, mean=None), "amp_scaler": {"scale": 65536.0, "_growth_tracker": 7},
        "state_dict_ema": state(1.0), "metric": 91.2,
    },
    "MMEngine": lambda: {
        "meta": {"epoch": 3, "mmengine_version": "0.10.4", "dataset_meta": {"classes": ("a", "b", "c", "d")}},
        "state_dict": OrderedDict(under("backbone.")), "optimizer": optimiser(), "param_schedulers": [{"last_step": 3}],
    },
    "fastai": lambda: {"model": state(), "opt": {"state": [{"mom": torch.ones(3)}], "hypers": [{"lr": 0.1}]}},
    "DeepSpeed": lambda: {
        "module": state(), "buffer_names": ["trunk.1.running_mean"], "optimizer": None, "ds_version": "0.15",
        "param_shapes": [OrderedDict((name, value.shape) for name, value in state().items())], "dp_world_size": 1,
    },
    "Ignite": lambda: {"trainer": {"epoch_length": 3}, "model": state(), "optimizer": optimiser()},
    "DDP, compiled": lambda: {"model": under("module._orig_mod."), "epoch": 3},
    "Opacus": lambda: under("_module."),
    "names in another language": lambda: {"重み": {f"モデル.{name}": value for name, value in state().items()}},
    "parameters": lambda: {n: nn.Parameter(v) if v.is_floating_point() else v for n, v in state().items()},
    "half precision": lambda: {n: v.half() if v.is_floating_point() else v for n, v in state().items()},
    "bfloat16": lambda: {n: v.bfloat16() if v.is_floating_point() else v for n, v in state().items()},
    "double precision": lambda: {n: v.double() if v.is_floating_point() else v for n, v in state().items()},
    "channels last": lambda: {
        n: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v for n, v in state().items()
    },
    "teacher and student": lambda: {"teacher": state(1.0), "student": state(), "center": torch.zeros(1, 4)},
    "mean teacher in one dictionary": lambda: under("teacher.", 1.0) | under("student."),
    "ema_pytorch": lambda: {
        "initted": torch.tensor(True), "step": torch.tensor(9), **under("online_model."), **under("ema_model.", 1.0),
    },
    "places and masks beside": lambda: state() | {
        "index": torch.arange(9).view(3, 3), "palette": torch.zeros(256, 3, dtype=torch.uint8),
        "blocks.1.attn_mask": torch.zeros(4, 4),
    },
    "a scalar beside": lambda: {"state_dict": state() | {"loss_scale": torch.tensor(1.0)}},
}  # fmt: skip


def recognised(path: Path) -> Candidate:
    return candidates(read_weights(path), 32)[0]


@pytest.mark.parametrize("kind", READ)
def test_it_is_read(kind: str, tmp_path: Path) -> None:
    torch.save(READ[kind](), tmp_path / "in.ckpt")
    best = recognised(tmp_path / "in.ckpt")
    assert best.arch == "small"
    net = best.network().state_dict()
    for name, value in state().items():
        torch.testing.assert_close(net[name], value, atol=0.01, rtol=0.01)
    write_model(tmp_path / "out", best.weights, {name: value * 2 for name, value in net.items()}, {})
    back = recognised(tmp_path / "out" / "model.pt").network().state_dict()
    assert torch.equal(back["fc.weight"], net["fc.weight"] * 2)


@pytest.mark.parametrize("kind", ["teacher and student", "mean teacher in one dictionary", "ema_pytorch"])
def test_that_a_copy_is_left_as_it_was_is_said(kind: str, tmp_path: Path) -> None:
    torch.save(READ[kind](), tmp_path / "in.pth")
    best = recognised(tmp_path / "in.pth")
    assert {"averaged", "copy_aside"} & {fact.code for fact in (*best.weights.found, *best.found)}


def test_what_is_no_tensor_among_the_tensors_is_told(tmp_path: Path) -> None:
    torch.save({**state(), "steps": 3, "notes": None}, tmp_path / "in.pth")
    told = {fact.code: fact.facts for fact in recognised(tmp_path / "in.pth").weights.found}
    assert told["beside"] == {"what": "steps = 3, notes"}


def test_shards_of_pytorch_are_read_by_their_index(tmp_path: Path) -> None:
    where = {}
    for part, names in enumerate((list(state())[:5], list(state())[5:]), 1):
        file = f"pytorch_model-{part:05}-of-00002.bin"
        torch.save({name: state()[name] for name in names}, tmp_path / file)
        where |= dict.fromkeys(names, file)
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": where}))
    assert recognised(index).arch == "small"
    assert "one of 2 files" in refused(tmp_path / "pytorch_model-00002-of-00002.bin", "weights_sharded")


def saved(content: Any, legacy: bool = False, protocol: int = 2) -> bytes:
    out = io.BytesIO()
    torch.save(content, out, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    return out.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.pth"))
    return out.getvalue()


def arrays() -> bytes:
    out = io.BytesIO()
    np.savez(out, **{name: value.numpy() for name, value in state().items()})
    return out.getvalue()


def encrypted() -> bytes:
    content = bytearray(zipped({"model.pth": b"secret"}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    return bytes(content)


def quantised() -> State:
    fc = torch.quantize_per_tensor(state()["fc.weight"], 0.1, 0, torch.qint8)
    return state() | {"fc.weight": fc}


def dynamically_quantised() -> dict[str, Any]:
    """As ``torch.ao.quantization.quantize_dynamic`` leaves a linear layer."""
    return {"fc.scale": torch.tensor(1.0), "fc._packed_params.dtype": torch.qint8}


REFUSED: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "empty": (lambda: b"", "file_empty", "empty"),
    "pointer of git LFS": (lambda: POINTER, "file_is_pointer", "git lfs pull"),
    "web page": (lambda: b"<!DOCTYPE html>\n<html><title>Sign in</title>", "file_is_web_page", "web page"),
    "gzip": (lambda: b"\x1f\x8b\x08\x00" + bytes(20), "file_packed", "gzip"),
    "tar": (tarred, "file_packed", "tar"),
    "zip around it": (lambda: zipped({"run/model.pth": saved(state())}), "file_packed", "zip"),
    "zip within a zip": (lambda: zipped({"model.zip": zipped({"model.pth": b""})}), "file_packed", "zip"),
    "encrypted zip": (encrypted, "weights_encrypted", "encrypted"),
    "Keras, HDF5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(90), "weights_of_other_kind", "Keras"),
    "Keras 3": (
        lambda: zipped({"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": b"\x89HDF"}),
        "weights_of_other_kind", "Keras",
    ),
    "TensorFlow, saved_model.pb": (lambda: b"\x08\x01\x12\x04\x0a\x02\x12\x00", "onnx_no_graph", "TensorFlow"),
    "TensorFlow Lite": (lambda: b"\x20\x00\x00\x00TFL3" + bytes(90), "weights_of_other_kind", "TensorFlow Lite"),
    "JAX, .npz": (arrays, "weights_of_other_kind", "NumPy"),
    "JAX, msgpack": (lambda: b"\x81\xa6params\x81\xa5dense\xc0", "weights_unknown_format", "format"),
    "pickled arrays": (
        lambda: pickle.dumps({"model": {n: v.numpy() for n, v in state().items()}}, protocol=4),
        "weights_other_pickle", "NumPy arrays",
    ),
    "scikit-learn": (lambda: b"\x80\x04csklearn.svm._classes\nSVC\n)\x81.", "weights_want_code", "sklearn.svm"),
    "configuration": (lambda: b'{"architectures": ["ResNet"]}', "weights_of_other_kind", "JSON"),
    "cut short, zip": (lambda: saved(state())[:3000], "weights_damaged", "cut short"),
    "cut short, before PyTorch 1.6": (lambda: saved(state(), legacy=True)[:3000], "weights_damaged", "cut short"),
    "cut short, safetensors": (lambda: save(state())[:-7], "weights_damaged", "cut short"),
    "cut short in the list of safetensors": (lambda: save(state())[:100], "weights_damaged", "ends within its list"),
    "optimiser alone": (lambda: saved(optimiser()), "weights_none_inside", "no dictionary of named tensors"),
    "optimiser alone, by name": (
        lambda: saved({"state": {"fc.weight": {"exp_avg": torch.ones(2)}}, "param_groups": []}),
        "weights_none_inside", "no dictionary of named tensors",
    ),
    "quantised to 8 bits": (lambda: saved(quantised()), "weights_odd_tensor", "quantised"),
    "quantised by torch.ao": (lambda: saved(dynamically_quantised()), "weights_quantised", "torch.qint8"),
    "quantised, protocol 4": (lambda: saved(dynamically_quantised(), protocol=4), "weights_quantised", "torch.qint8"),
    "floats of 8 bits": (
        lambda: saved(state() | {"fc.weight": state()["fc.weight"].to(torch.float8_e4m3fn)}),
        "weights_odd_tensor", "fc.weight",
    ),
    "a list of tensors": (lambda: saved(list(state().values())), "weights_none_inside", "no dictionary"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("kind", REFUSED)
def test_it_is_refused_with_its_cause(kind: str, tmp_path: Path) -> None:
    content, code, told = REFUSED[kind]
    (tmp_path / "model.pth").write_bytes(content())
    assert told in refused(tmp_path / "model.pth", code)


@pytest.mark.parametrize(
    ("tensors", "code", "told"),
    [
        ({"base_model.model.fc.lora_A.weight": (4, 8), "base_model.model.fc.lora_B.weight": (8, 4)},
         "weights_of_adapter", "merge_and_unload"),
        ({"fc.base_layer.weight": (4, 8), "fc.lora_A.default.weight": (2, 8), "fc.lora_B.default.weight": (4, 2)},
         "weights_of_adapter", "merge_and_unload"),
        ({"stem.weight": (8, 3, 3, 3), "a_head.weight": (1, 8), "z.weight": (8, 8)}, "one_output", "sigmoid"),
        ({"cls": (1, 8), "fc.bias": (5,), "fc.weight": (5, 8), "type.weight": (1, 8)},
         "no_architecture_fits", "--arch"),
        ({"stem.weight": (8, 3, 3, 3), "age.weight": (9, 8), "sex.weight": (2, 8)}, "no_architecture_fits", "--arch"),
        ({"G.0.weight": (8, 3, 4, 4), "D.0.weight": (8, 3, 4, 4)}, "weights_without_linear", "no linear layer"),
    ],
    ids=[
        "LoRA alone", "LoRA beside", "one output, sorted", "a token and an embedding", "two heads",
        "generator and discriminator",
    ],
)  # fmt: skip
def test_networks_that_are_none_of_a_classifier(
    tensors: dict[str, tuple[int, ...]], code: str, told: str, tmp_path: Path
) -> None:
    save_file({name: torch.ones(shape) for name, shape in tensors.items()}, tmp_path / "model.safetensors")
    with pytest.raises(BadInput, match=told) as caught:
        recognised(tmp_path / "model.safetensors")
    assert caught.value.code == code


def test_whole_numbers_under_names_that_nobody_knows_are_told(tmp_path: Path) -> None:
    tensors = {"a.weight": torch.ones(4, 8, dtype=torch.int8), "a.SCB": torch.ones(4), "b.weight": torch.ones(2, 9)}
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(BadInput, match=r"a\.weight holds whole numbers"):
        recognised(tmp_path / "model.safetensors")


def test_a_network_for_other_pictures_is_told_by_its_channels(tmp_path: Path) -> None:
    save_file(SmallNet(4, channels=6).state_dict(), tmp_path / "satellite.safetensors")
    with pytest.raises(BadInput, match="6 channels") as caught:
        recognised(tmp_path / "satellite.safetensors")
    assert caught.value.code == "weights_channels"


def test_a_fold_is_no_shard(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "fold-1-of-5.pth")
    assert recognised(tmp_path / "fold-1-of-5.pth").arch == "small"


def test_a_folder_is_refused_by_what_lies_in_it(tmp_path: Path) -> None:
    for name in ("saved_model.pb", "pytorch_model.bin", "config.json"):
        (tmp_path / name).write_bytes(struct.pack("<Q", 2))
    with pytest.raises(BadInput, match=r"weights in it: pytorch_model\.bin") as caught:
        read_weights(tmp_path)
    assert caught.value.code == "weights_is_folder"
