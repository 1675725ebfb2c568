"""What goes out loads into the class that wrote what came in."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import BadInput
from core.models import build
from core.models.export import write_model
from core.models.identify import candidates
from core.models.weights import read_weights


def changed(net: nn.Module) -> dict[str, Tensor]:
    """The state after some purification: every number a little different."""
    return {k: v + 0.25 if v.is_floating_point() else v + 1 for k, v in net.state_dict().items()}


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_owners_class_loads_it_with_strict(
    tmp_path: Path, parallel: bool, dtype: torch.dtype, wrapped: bool
) -> None:
    torch.manual_seed(0)
    theirs: nn.Module = torchvision.models.shufflenet_v2_x0_5(num_classes=5).to(dtype)
    if parallel:
        theirs = nn.DataParallel(theirs)
    state = theirs.state_dict()
    torch.save({"model": state, "epoch": 3} if wrapped else state, tmp_path / "in.pth")
    found = candidates(read_weights(tmp_path / "in.pth"), 64)[0]
    net = found.network()
    assert next(net.parameters()).dtype == torch.float32
    after = changed(net)
    card = write_model(tmp_path / "out", found.weights, after, {"ba_before": 91.5}, tmp_path / "in.pth")
    for name in ("model.pt", "model.safetensors"):
        path = tmp_path / "out" / name
        out: dict[str, Tensor] = torch.load(path, weights_only=True) if name == "model.pt" else load_file(path)
        if name == "model.pt":
            assert list(out) == list(state)
        assert {k: (v.dtype, v.shape) for k, v in out.items()} == {k: (v.dtype, v.shape) for k, v in state.items()}
        theirs.load_state_dict(out, strict=True)
        mine = {("module." if parallel else "") + key: value for key, value in after.items()}
        for key, value in theirs.state_dict().items():
            assert torch.equal(value, mine[key].to(value.dtype)), key
        assert card["output"][name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["input"]["sha256"] == hashlib.sha256((tmp_path / "in.pth").read_bytes()).hexdigest()
    assert card["input"]["file"] == "in.pth"
    assert card["ba_before"] == 91.5
    assert json.loads((tmp_path / "out" / "card.json").read_text()) == card


def test_what_was_not_changed_comes_out_as_it_went_in(tmp_path: Path) -> None:
    """Read, written and read again: the same numbers to the last bit, counters that were missing still missing."""
    state = build("vgg-small", 4).half().state_dict()
    state = {key: value for key, value in state.items() if "num_batches" not in key}
    torch.save({"net": {f"module._orig_mod.{key}": value for key, value in state.items()}}, tmp_path / "in")
    found = candidates(read_weights(tmp_path / "in"), 32)[0]
    write_model(tmp_path / "out", found.weights, found.network().state_dict(), {})
    out = torch.load(tmp_path / "out" / "model.pt", weights_only=True)
    assert list(out) == [f"module._orig_mod.{key}" for key in state]
    assert all(torch.equal(out[f"module._orig_mod.{key}"], value) for key, value in state.items())


def test_tied_weights(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4, bias=False)
            self.b = nn.Linear(4, 4, bias=False)
            self.b.weight = self.a.weight

    net = Tied()
    torch.save(net.state_dict(), tmp_path / "in")
    weights = read_weights(tmp_path / "in")
    write_model(tmp_path / "out", weights, net.state_dict(), {})
    for out in (
        torch.load(tmp_path / "out" / "model.pt", weights_only=True),
        load_file(tmp_path / "out" / "model.safetensors"),
    ):
        Tied().load_state_dict(out, strict=True)
        assert torch.equal(out["b.weight"], net.a.weight)


def test_the_card_is_json_for_every_program(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2, 3)}, tmp_path / "in")
    weights = read_weights(tmp_path / "in")
    facts: dict[str, Any] = {"asr_after": float("nan"), "network": "small", "scaling": {"name": "half"}}
    card = write_model(tmp_path / "out", weights, {"a": torch.zeros(2, 3)}, facts)
    text = (tmp_path / "out" / "card.json").read_text()
    assert "NaN" not in text
    assert card["asr_after"] is None
    assert card["tensors"] == {"a": ["float32", [2, 3]]}
    assert "input" not in card
    assert set(card["versions"]) == {"dissolve", "torch", "python"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["card.json", "model.pt", "model.safetensors"]


def test_an_input_that_is_gone_meanwhile(tmp_path: Path) -> None:
    """All three files are written, and the card says that its hash is not known."""
    torch.save({"a": torch.ones(2, 3)}, tmp_path / "in")
    weights = read_weights(tmp_path / "in")
    (tmp_path / "in").unlink()
    card = write_model(tmp_path / "out", weights, {"a": torch.zeros(2, 3)}, {}, tmp_path / "in")
    assert (card["input"]["file"], card["input"]["sha256"]) == ("in", None)
    card = write_model(tmp_path / "out", weights, {"a": torch.zeros(2, 3)}, {}, tmp_path / "in", "ab" * 32)
    assert card["input"]["sha256"] == "ab" * 32, "as it was when the weights were read"
    assert json.loads((tmp_path / "out" / "card.json").read_text()) == card
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["card.json", "model.pt", "model.safetensors"]


def test_the_inputs_hash_is_that_from_before_it_is_written_over(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2, 3)}, tmp_path / "model.pt")
    before = hashlib.sha256((tmp_path / "model.pt").read_bytes()).hexdigest()
    weights = read_weights(tmp_path / "model.pt")
    card = write_model(tmp_path, weights, {"a": torch.zeros(2, 3)}, {}, tmp_path / "model.pt")
    assert card["input"]["sha256"] == before != card["output"]["model.pt"]["sha256"]


def test_an_input_whose_name_is_no_text(tmp_path: Path) -> None:
    source = tmp_path / os.fsdecode(b"\x95\x5c.pth")
    torch.save({"a": torch.ones(2, 3)}, tmp_path / "in")
    (tmp_path / "in").rename(source)
    write_model(tmp_path / "out", read_weights(source), {"a": torch.zeros(2, 3)}, {}, source)
    assert json.loads((tmp_path / "out" / "card.json").read_text())["input"]["file"] == source.name


@pytest.mark.parametrize(("dtype", "value"), [(torch.float32, float("nan")), (torch.float16, 70000.0)])
def test_weights_that_are_not_finite_are_never_written(tmp_path: Path, dtype: torch.dtype, value: float) -> None:
    """Nor those which the file's own type cannot hold: 70,000 is infinite in half precision."""
    state = build("vgg-small", 4).to(dtype).state_dict()
    torch.save(state, tmp_path / "in.pth")
    found = candidates(read_weights(tmp_path / "in.pth"), 32)[0]
    after = found.network().state_dict()
    name = next(name for name, tensor in after.items() if tensor.is_floating_point())
    after[name].flatten()[0] = value
    with pytest.raises(BadInput, match=name) as caught:
        write_model(tmp_path / "out", found.weights, after, {})
    assert caught.value.code == "purified_not_finite"
    assert not (tmp_path / "out").exists()
