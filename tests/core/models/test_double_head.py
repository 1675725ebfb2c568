"""Heads of two linear layers on a usual network, as transfer learning leaves them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision.models
from torch import nn

from core.models.double_head import double_heads
from core.models.export import write_model
from core.models.identify import candidates, named
from core.models.small import SmallNet
from core.models.weights import Weights, read_weights


def _head(into: int, dropout: bool = False) -> nn.Sequential:
    between = [nn.ReLU(), nn.Dropout()] if dropout else [nn.ReLU()]
    return nn.Sequential(nn.Linear(into, 12), *between, nn.Linear(12, 5))


def small() -> nn.Module:
    net = SmallNet(5)
    net.fc = _head(64)  # type: ignore[assignment]
    return net


def resnet() -> nn.Module:
    net = torchvision.models.resnet18()
    net.fc = _head(512, dropout=True)
    return net


def mobilenet() -> nn.Module:
    net = torchvision.models.mobilenet_v2()
    net.classifier[1] = _head(1280)
    return net


@pytest.mark.parametrize(
    ("make", "arch"),
    [(small, "small"), (resnet, "torchvision/resnet18"), (mobilenet, "torchvision/mobilenet_v2")],
)
def test_the_network_is_found_and_handed_back_under_its_own_names(
    make: Callable[[], nn.Module], arch: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    theirs = make().eval()
    torch.save(theirs.state_dict(), tmp_path / "in.pth")
    weights = read_weights(tmp_path / "in.pth")
    images = torch.rand(2, 3, 32, 32)
    for best in (candidates(weights, 32)[0], named(arch, weights, 5)):
        assert (best.arch.split("+")[0], best.classes) == (arch, 5)
        assert "double_head" in {fact.code for fact in best.found}
    made = named(arch, weights, 5).network()
    with torch.no_grad():
        torch.testing.assert_close(made(images), theirs(images))
        for parameter in made.parameters():
            parameter.add_(0.01)
        write_model(tmp_path, best.weights, made.state_dict(), {})
        theirs.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
        torch.testing.assert_close(made(images), theirs(images))


def test_layers_with_no_room_between_them_are_no_such_head() -> None:
    state = SmallNet(5).state_dict()
    state = {name: value for name, value in state.items() if not name.startswith("fc.")}
    odd = {"fc.0.weight": torch.ones(12, 64), "fc.1.weight": torch.ones(5, 12)}
    assert not list(double_heads(Weights({**state, **odd})))
